package store

import (
	"context"
	"fmt"
	"sync/atomic"
)

// States of an item. Only the writer moves it on, except for the two ways out.
const (
	waiting   int32 = iota // in the queue: the caller may withdraw it
	running                // fn may be running: the caller waits
	asking                 // COMMIT is on its way or being asked about: the caller may leave with ErrUnknown
	withdrawn              // the caller has left: fn is never run again
)

// An item is one call of Do.
type item struct {
	name  string
	sale  bool
	fn    func(*Tx) error
	state atomic.Int32
	moved chan struct{} // has a token after the writer changed state
	done  chan struct{} // closed when err and panic are final
	err   error         // what fn returned last
	panic any           // what fn panicked with, raised again in the caller's goroutine
}

func newItem(name string, sale bool, fn func(*Tx) error) *item {
	return &item{name: name, sale: sale, fn: fn, moved: make(chan struct{}, 1), done: make(chan struct{})}
}

// move changes the state unless the caller has left.
func (it *item) move(from, to int32) bool {
	ok := it.state.CompareAndSwap(from, to)
	select {
	case it.moved <- struct{}{}:
	default:
	}
	return ok
}

func (it *item) finish(err error) {
	it.err = err
	close(it.done)
}

// Do runs fn inside the next group commit and returns when it is durable. It is
// for everything but new sales: reversals, advices, closings, administration.
// name says in errors what was done, such as "authorize.decide".
//
// fn sees the writes of items before it in the same batch. An error of fn rolls
// back fn's own writes only and is returned as it is. fn may be run more than
// once, and by another goroutine: it must have no effect but through tx and by
// assigning (not appending to) variables of the caller, must be quick, and must
// not call Do or Read. A panic of fn is raised again in the caller.
//
// ctx bounds the waiting: before the item is taken, Do returns its error and
// nothing has happened; while a commit's outcome is being asked for, ErrUnknown.
// Other errors: ErrBusy, ErrClosed, ErrReadOnly, ErrFull (the reserve is gone).
func (s *Store) Do(ctx context.Context, name string, fn func(tx *Tx) error) error {
	return s.do(ctx, newItem(name, false, fn), s.closings)
}

// DoSale is Do for a new sale: on a full disk it is refused with ErrFull while
// Do still has the reserve, and it has a queue of its own, so that a crowd of
// sales never keeps a reversal out.
func (s *Store) DoSale(ctx context.Context, name string, fn func(tx *Tx) error) error {
	if s.Full() {
		return ErrFull
	}
	return s.do(ctx, newItem(name, true, fn), s.sales)
}

func (s *Store) do(ctx context.Context, it *item, queue chan *item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enqueue(it, queue); err != nil {
		return err
	}
	select {
	case <-it.done:
	case <-ctx.Done():
		if left, unknown := it.leave(); unknown {
			return fmt.Errorf("%s: %w: %w", it.name, ErrUnknown, ctx.Err())
		} else if left {
			return fmt.Errorf("store: %s gave up waiting, nothing was written: %w", it.name, ctx.Err())
		}
	}
	if it.panic != nil {
		panic(it.panic)
	}
	return it.err
}

// leave tries to leave an item, with nothing written or in doubt, until it is
// finished. A running fn is waited for: it writes to its caller's variables.
func (it *item) leave() (left, unknown bool) {
	for {
		if it.state.CompareAndSwap(waiting, withdrawn) {
			return true, false
		}
		if it.state.CompareAndSwap(asking, withdrawn) {
			return true, true
		}
		select {
		case <-it.done:
			return false, false
		case <-it.moved:
		}
	}
}

// enqueue hands it to the writer unless the store is closing or the queue full.
func (s *Store) enqueue(it *item, queue chan *item) error {
	if s.cfg.ReadOnly {
		return ErrReadOnly
	}
	s.gate.RLock() // Close waits for those who are past the gate
	defer s.gate.RUnlock()
	if s.closed {
		return ErrClosed
	}
	select {
	case queue <- it:
		return nil
	default:
		return fmt.Errorf("%w: %d items wait", ErrBusy, cap(queue))
	}
}
