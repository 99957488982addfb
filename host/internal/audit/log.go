package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// A Log is the chain of one node. It is safe for concurrent use.
type Log struct {
	st   *store.Store
	node string
	boot uint64

	mu     sync.Mutex
	tail   tail           // of what is committed
	newest api.Checkpoint // zero before the first

	signing sync.Mutex // one checkpoint at a time
}

// A tail is the end of a chain.
type tail struct {
	count uint64
	head  [32]byte
}

// tailKey finds the tail that a batch has reached.
type tailKey struct{ log *Log }

// Open starts a new boot of the node of st: it recovers the head, raises the
// durable boot counter and appends the entry "node.start".
func Open(ctx context.Context, st *store.Store, at int64) (*Log, error) {
	l := &Log{st: st, node: st.Node()}
	err := st.Do(ctx, "audit.open", func(tx *store.Tx) error {
		if err := l.recover(tx); err != nil {
			return err
		}
		n, err := tx.Exec(`INSERT INTO audit_boot (node, boot, first, at) VALUES ($1, $2, $3, $4) ON CONFLICT (node, boot) DO NOTHING`,
			l.node, l.boot, l.tail.count+1, at)
		if err != nil {
			return fmt.Errorf("starting boot %d: %w", l.boot, err)
		}
		if n == 0 {
			return ErrFenced
		}
		_, err = l.Append(tx, Entry{Kind: startKind, Actor: "node", Object: l.node, At: at})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: opening the log of %s: %w", l.node, err)
	}
	return l, nil
}

// recover reads where the chain ends, and makes this the next boot.
func (l *Log) recover(q store.Querier) error {
	l.tail, l.newest = tail{}, api.Checkpoint{} // it may be run again
	if err := q.QueryRow(`SELECT COALESCE(MAX(boot), 0) + 1 FROM audit_boot WHERE node = $1`, l.node).Scan(&l.boot); err != nil {
		return fmt.Errorf("reading the boot counter: %w", err)
	}
	var head []byte
	err := q.QueryRow(`SELECT number, hash FROM audit_entry WHERE node = $1 ORDER BY number DESC LIMIT 1`, l.node).Scan(&l.tail.count, &head)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the head: %w", err)
	}
	copy(l.tail.head[:], head)
	c := api.Checkpoint{Node: l.node}
	var signed []byte
	err = q.QueryRow(`SELECT count, boot, head, signature FROM audit_checkpoint WHERE node = $1 ORDER BY count DESC LIMIT 1`, l.node).
		Scan(&c.Count, &c.Boot, &signed, &c.Signature)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the last checkpoint: %w", err)
	}
	copy(c.Head[:], signed)
	l.newest = c
	return nil
}

// Node and Boot name this start of the node.
func (l *Log) Node() string { return l.node }

// Boot is the number of this start of the node, from 1.
func (l *Log) Boot() uint64 { return l.boot }

// Append adds e to the chain in the commit of tx and returns its number. When
// the item of tx is rolled back, so is e. ErrEntry refuses a malformed entry,
// ErrFenced says that the chain has been continued elsewhere.
func (l *Log) Append(tx *store.Tx, e Entry) (uint64, error) {
	if err := e.check(); err != nil {
		return 0, err
	}
	end, ok := tx.Value(tailKey{l}).(tail)
	if !ok {
		end = l.committed()
	}
	k := link{node: l.node, number: end.count + 1, boot: l.boot, entry: e}
	end = tail{count: k.number, head: k.hash(end.head)}
	n, err := tx.Exec(`INSERT INTO audit_entry (node, number, boot, at, kind, actor, object, detail, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (node, number) DO NOTHING`,
		k.node, k.number, k.boot, e.At, e.Kind, e.Actor, e.Object, e.Detail, end.head[:])
	if err != nil {
		return 0, fmt.Errorf("appending to the audit log: %w", err)
	}
	if n == 0 {
		return 0, ErrFenced
	}
	tx.SetValue(tailKey{l}, end)
	tx.AfterCommit(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tail = end
	})
	return k.number, nil
}

func (l *Log) committed() tail {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tail
}
