package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A verdict is how an attempt to commit a batch ended. Except for committed and
// dead, nothing was written.
type verdict int

const (
	committed verdict = iota // or every item was refused; all are answered
	rerun                    // locks or a lost connection
	split                    // the batch cannot be committed as a whole
	noSpace                  // the disk is full
	dead                     // the process is ending
)

// A batch is one transaction of the writer.
type batch struct {
	w      *writer
	number int64
	q      queries
	hooks  []func()
	values map[any]any
	worst  class // of all errors that the database gave
	cause  error // the error of class worst
}

// attempt runs items in one transaction. On committed it has answered them.
func (w *writer) attempt(items []*item) (verdict, error) {
	if err := w.connect(); err != nil {
		return w.judge(err, classLost)
	}
	ctx, cancel := w.s.engine.batchContext()
	defer cancel()
	tx, err := w.on.conn.BeginTx(ctx, w.s.engine.writeOptions())
	if err != nil {
		return w.judge(fmt.Errorf("beginning: %w", err), w.s.engine.classify(err))
	}
	w.number++
	b := &batch{w: w, number: w.number, values: map[any]any{}}
	b.q = newTx(ctx, b).q
	succeeded, err := b.run(ctx, items)
	if err != nil || b.worst > classItem || succeeded == 0 {
		if rerr := tx.Rollback(); rerr != nil {
			w.drop() // a connection that cannot roll back is not used again
		}
	}
	switch {
	case b.worst > classItem:
		return w.judge(b.cause, b.worst)
	case err != nil:
		return w.judge(err, classItem)
	case succeeded == 0:
		b.answer(items) // refused, all of them: nothing to make durable
		return committed, nil
	}
	for _, it := range items {
		it.move(running, asking)
	}
	if err := tx.Commit(); err != nil {
		return w.commitFailed(b, items, err)
	}
	b.done(items)
	return committed, nil
}

// judge turns an error from before COMMIT into a verdict.
func (w *writer) judge(err error, c class) (verdict, error) {
	switch c {
	case classRetry:
		return rerun, err
	case classLost:
		w.drop()
		return rerun, err
	case classFull:
		w.drop() // SQLite has rolled back by itself
		return noSpace, err
	case classIO:
		w.die(err)
		return dead, err
	}
	return split, err
}

// run calls the items and leaves the batch's number. It stops early when the
// batch cannot be committed any more.
func (b *batch) run(ctx context.Context, items []*item) (succeeded int, err error) {
	for _, it := range items {
		if err := b.item(ctx, it, len(items) > 1); err != nil {
			return 0, err
		}
		if b.worst > classItem {
			return 0, nil
		}
		if it.err == nil && it.panic == nil {
			succeeded++
		}
	}
	if succeeded == 0 {
		return 0, nil
	}
	n, err := b.q.exec(`UPDATE commit_probe SET batch = $3 WHERE node = $1 AND session = $2`, []any{b.w.s.cfg.Node, b.w.session, b.number})
	if err != nil {
		return 0, fmt.Errorf("numbering the batch: %w", err)
	}
	if n != 1 {
		b.worst, b.cause = classIO, ErrFenced
	}
	return succeeded, nil
}

// item runs one item behind a savepoint, which a lone item does not need: its
// refusal rolls back the transaction. The error returned is of the batch; the
// item's own is in it.err.
func (b *batch) item(ctx context.Context, it *item, savepoint bool) error {
	m := b.mark()
	if savepoint {
		if _, err := b.q.exec("SAVEPOINT item", nil); err != nil {
			return fmt.Errorf("setting a savepoint: %w", err)
		}
	}
	b.call(ctx, it)
	if b.worst > classItem || !savepoint {
		return nil
	}
	if it.err != nil || it.panic != nil {
		b.restore(m)
		if _, err := b.q.exec("ROLLBACK TO SAVEPOINT item", nil); err != nil {
			return fmt.Errorf("rolling back to a savepoint: %w", err)
		}
	}
	if _, err := b.q.exec("RELEASE SAVEPOINT item", nil); err != nil {
		return fmt.Errorf("releasing a savepoint: %w", err)
	}
	return nil
}

// call runs fn. An error of the database fails the item even when fn swallows
// it: PostgreSQL would refuse to go on, and both engines behave alike.
func (b *batch) call(ctx context.Context, it *item) {
	tx := newTx(ctx, b)
	var failed error
	tx.q.note = func(err error) error {
		if err = b.note(err); err != nil && !errors.Is(err, sql.ErrNoRows) && failed == nil {
			failed = err
		}
		return err
	}
	it.err, it.panic = nil, nil
	defer func() {
		tx.ended = true
		it.panic = recover()
	}()
	if it.err = it.fn(tx); it.err == nil && failed != nil {
		it.err = fmt.Errorf("%s went on after an error of the database: %w", it.name, failed)
	}
}

// done runs the hooks of a durable batch and answers its items.
func (b *batch) done(items []*item) {
	b.w.s.stats.batches.Add(1)
	b.w.s.stats.items.Add(int64(len(items)))
	for _, hook := range b.hooks {
		hook()
	}
	b.answer(items)
}

// answer gives each item what its fn returned.
func (b *batch) answer(items []*item) {
	for _, it := range items {
		it.finish(it.err)
	}
}
