// Package store is the host's one way to its databases: embedded SQLite by
// default, PostgreSQL by DSN, one set of PostgreSQL-flavoured SQL for both, and
// one group-commit writer.
//
// A newcomer needs [Open], [Store.Do] for everything that changes something and
// [Store.Read] for everything that does not.
package store
