package store

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// batchDeadline bounds one transaction on PostgreSQL, commit included: below the
// 15 s in which the host answers. What runs out is unknown and is asked again.
const batchDeadline = 10 * time.Second

// postgres is the engine for more than one machine.
type postgres struct {
	cfg  Config
	conn *pgx.ConnConfig
}

func newPostgres(cfg Config) (*postgres, error) {
	c, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, errors.New("store: the PostgreSQL DSN cannot be read: want postgres://user@host/database?… or key=value pairs") // its own text may show the password
	}
	for key, value := range map[string]string{
		"application_name":                    "tallystick/" + cfg.Node,
		"lock_timeout":                        "5s", // a frozen node must not hold others for ever
		"idle_in_transaction_session_timeout": "30s",
	} {
		if _, set := c.RuntimeParams[key]; !set {
			c.RuntimeParams[key] = value
		}
	}
	if cfg.UnsafeNoSync {
		c.RuntimeParams["synchronous_commit"] = "off"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	return &postgres{cfg: cfg, conn: c}, nil
}

func (*postgres) name() string           { return "postgres" }
func (*postgres) dialect() goose.Dialect { return goose.DialectPostgres }
func (*postgres) forUpdate() string      { return " FOR UPDATE" }
func (*postgres) close() error           { return nil }

// providerOptions let one node migrate while the others wait.
func (*postgres) providerOptions() ([]goose.ProviderOption, error) {
	l, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, fmt.Errorf("making the migration lock: %w", err)
	}
	return []goose.ProviderOption{goose.WithSessionLocker(l)}, nil
}

func (*postgres) writeOptions() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

func (*postgres) readOptions() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

func (*postgres) batchContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), batchDeadline)
}

func (p *postgres) open(ctx context.Context) (write, read *sql.DB, err error) {
	if !p.cfg.ReadOnly {
		write = stdlib.OpenDB(*p.conn)
		write.SetMaxOpenConns(4)
	}
	read = stdlib.OpenDB(*p.conn)
	read.SetMaxOpenConns(maxReaders)
	return write, read, nil
}

// prepare refuses a server that would answer a commit before it is durable, or
// that is a standby. Settings stronger than "on" are the operator's and stay.
func (p *postgres) prepare(ctx context.Context, conn *sql.Conn) error {
	var commit, fsync, standby string
	err := conn.QueryRowContext(ctx, `SELECT current_setting('synchronous_commit'), current_setting('fsync'), CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END`).Scan(&commit, &fsync, &standby)
	if err != nil {
		return fmt.Errorf("reading the server's settings: %w", err)
	}
	if standby == "standby" {
		return errStandby
	}
	if !p.cfg.UnsafeNoSync && (fsync != "on" || commit == "off" || commit == "local") {
		return fmt.Errorf("synchronous_commit is %s and fsync %s: an answered commit could be lost; set both to on", commit, fsync)
	}
	return nil
}

// errStandby is a reason to connect again: the primary may have moved.
var errStandby = fmt.Errorf("the server is a standby: add target_session_attrs=read-write to the DSN: %w", sqldriver.ErrBadConn)

func (*postgres) classify(err error) class {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01", "55P03": // serialization, deadlock, lock timeout
			return classRetry
		case "53100":
			return classFull
		case "58030", "XX001", "XX002": // I/O error, corruption
			return classIO
		case "25006", "25P03", "57P01", "57P02", "57P03", "57P05": // read-only after a switchover, idle or shut down
			return classLost
		}
		if strings.HasPrefix(e.Code, "08") {
			return classLost
		}
		return classItem
	}
	if _, ok := errors.AsType[net.Error](err); ok || pgconn.SafeToRetry(err) || pgconn.Timeout(err) {
		return classLost
	}
	for _, lost := range []error{sqldriver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded} {
		if errors.Is(err, lost) {
			return classLost
		}
	}
	return classItem
}
