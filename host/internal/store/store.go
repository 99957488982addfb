package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Store is one open database. Its methods may be called by many goroutines.
type Store struct {
	cfg     Config
	engine  engine
	write   *sql.DB // nil when read-only
	read    *sql.DB
	readers chan *session // maxReaders slots; nil in a slot: no connection yet
	disk    *disk

	closings, sales chan *item
	stop, stopped   chan struct{}
	gate            sync.RWMutex // guards closed
	closed          bool
	dead            atomic.Bool // after Fatal

	stats struct{ batches, items, reruns, splits, probes atomic.Int64 }
}

// Open opens the database, applies the migration sets and starts the writer. It
// keeps trying to reach a PostgreSQL server until ctx is done, 30 s at most.
// The caller closes the Store.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e, err := newEngine(cfg)
	if err != nil {
		return nil, err
	}
	s := newStore(cfg, e)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), s.release())
	}
	return s, nil
}

// newStore makes a store that is not open yet.
func newStore(cfg Config, e engine) *Store {
	s := &Store{
		cfg: cfg, engine: e,
		closings: make(chan *item, cfg.QueueLimit), sales: make(chan *item, cfg.QueueLimit),
		stop: make(chan struct{}), stopped: make(chan struct{}), readers: make(chan *session, maxReaders),
	}
	for range maxReaders {
		s.readers <- nil
	}
	return s
}

// open does the steps of Open; what it leaves half done, release undoes.
func (s *Store) open(ctx context.Context) (err error) {
	if s.write, s.read, err = s.engine.open(ctx); err != nil {
		return err
	}
	if s.disk, err = newDisk(s.cfg); err != nil {
		return err
	}
	if err := s.reach(ctx); err != nil {
		return fmt.Errorf("reaching the database: %w", err)
	}
	if s.cfg.ReadOnly {
		close(s.stopped)
		return nil
	}
	s.write.SetMaxIdleConns(0) // the writer keeps its connection; any other is fresh
	if err := migrate(ctx, s.engine, s.write, s.cfg.Sets); err != nil {
		return err
	}
	w := &writer{s: s}
	if err := w.claim(ctx); err != nil {
		w.drop()
		return err
	}
	go w.run()
	return nil
}

// reach waits for a server that is starting or failing over.
func (s *Store) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for try := 0; ; try++ {
		err := s.read.PingContext(ctx)
		if err == nil || s.engine.classify(err) != classLost {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(backoff(try)):
		}
	}
}

// Close lets the queue finish, stops the writer and closes the database. It may
// be called again.
func (s *Store) Close() error {
	s.gate.Lock()
	again := s.closed
	s.closed = true
	s.gate.Unlock()
	if again {
		return nil
	}
	close(s.stop)
	<-s.stopped
	return s.release()
}

// release closes what was opened, once the Reads that run have ended.
func (s *Store) release() error {
	for range maxReaders {
		if slot := <-s.readers; slot != nil {
			slot.drop()
		}
		defer func() { s.readers <- nil }() // a late Read finds the store closed
	}
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, s.engine.close())...)
}

// Full reports whether new sales are refused because the disk is full.
func (s *Store) Full() bool { return s.disk.isFull() }

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.name() }

// Node is the name under which this process writes.
func (s *Store) Node() string { return s.cfg.Node }

// Stats are counters since Open, for metrics.
type Stats struct {
	Batches, Items int64 // commits, and items in them
	Reruns         int64 // batches tried again after locks or a lost connection
	Splits         int64 // batches run item by item
	Probes         int64 // questions about the outcome of a commit
	Waiting        int   // items in the queues now
	Full           bool
}

// Stats gives the counters.
func (s *Store) Stats() Stats {
	return Stats{
		Batches: s.stats.batches.Load(), Items: s.stats.items.Load(), Reruns: s.stats.reruns.Load(),
		Splits: s.stats.splits.Load(), Probes: s.stats.probes.Load(),
		Waiting: len(s.closings) + len(s.sales), Full: s.Full(),
	}
}
