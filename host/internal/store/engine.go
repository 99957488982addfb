package store

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
)

// An engine is what differs between SQLite and PostgreSQL. Everything else in
// the package is one code path.
type engine interface {
	// name is the suffix of engine-specific migration files.
	name() string
	dialect() goose.Dialect
	// providerOptions are what concurrent migrating nodes need.
	providerOptions() ([]goose.ProviderOption, error)
	// open gives the pools for the writer and for readers.
	open(ctx context.Context) (write, read *sql.DB, err error)
	// prepare checks a fresh connection of the writer.
	prepare(ctx context.Context, conn *sql.Conn) error
	// batchContext bounds one transaction of the writer.
	batchContext() (context.Context, context.CancelFunc)
	// writeOptions and readOptions say how transactions begin.
	writeOptions() *sql.TxOptions
	readOptions() *sql.TxOptions
	// forUpdate is appended to a query that locks its row.
	forUpdate() string
	// classify says what to do about err, which is not nil.
	classify(err error) class
	// close gives up what open took beyond the pools.
	close() error
}

// newEngine picks the engine of cfg.
func newEngine(cfg Config) (engine, error) {
	if cfg.DSN != "" {
		return newPostgres(cfg)
	}
	return &sqlite{cfg: cfg}, nil
}
