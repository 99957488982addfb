// Package store is the host's one way to its databases: embedded SQLite by
// default, PostgreSQL by DSN, one set of PostgreSQL-flavoured SQL for both, and
// one group-commit writer.
//
// A newcomer needs [Open], [Store.Do] (or [Store.DoSale]) for everything that
// changes something, and [Store.Read] for everything that does not.
//
// # The writer
//
// One goroutine takes what waits, up to [Config.MaxBatch] items, runs it in one
// transaction, commits, and then answers everybody: one fsync serves the batch.
// Items of a batch see those before them, each behind a savepoint, so that a
// refused item takes only its own writes with it. A batch that fails as a whole
// is run again item by item.
//
// # Unknown commits
//
// An error of COMMIT says neither failed nor done. Every batch leaves its number
// in the node's row of commit_probe; after an error the writer asks by a
// committed write to that row on a fresh connection. A write waits for the row
// lock of a commit that is still on its way and must itself be replicated, so
// its answer is final; a read could be overtaken (rule 7).
//
// # SQL
//
// TEXT for digits and ids, BIGINT for amounts (minor units) and times
// (microseconds UTC), BYTEA bound only as []byte, DOUBLE PRECISION where needed;
// no other column type, no NOW(), arrays, JSON operators or sequences. On SQLite
// a column declared BYTEA has numeric affinity, which leaves blobs alone but
// would turn a text "0012" into a number: hence bound only as bytes.
package store
