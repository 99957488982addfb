package store

import (
	"context"
	"fmt"
	"time"
)

const (
	// maxReruns bounds how often a batch is tried again after locks or a lost
	// connection: about a minute with the pauses of backoff, long enough for a
	// failover of the database.
	maxReruns = 64
	// connectDeadline bounds one attempt to connect.
	connectDeadline = 10 * time.Second
)

// A writer is the goroutine that alone changes the database.
type writer struct {
	s       *Store
	on      *session // nil after an error
	session int64    // this start's claim on the node's row of commit_probe
	number  int64    // of the last attempted batch; never used twice in a session
}

// run serves the queues until stop, and what is in them then.
func (w *writer) run() {
	defer close(w.s.stopped)
	for {
		first, ok := w.wait()
		if !ok {
			break
		}
		w.serve(w.collect(first))
	}
	for first := w.poll(); first != nil; first = w.poll() {
		w.serve(w.collect(first))
	}
	w.drop()
}

// wait blocks for the next item; closings have precedence.
func (w *writer) wait() (*item, bool) {
	if it := w.poll(); it != nil {
		return it, true
	}
	select {
	case it := <-w.s.closings:
		return it, true
	case it := <-w.s.sales:
		return it, true
	case <-w.s.stop:
		return nil, false
	}
}

// poll takes an item that waits already, or nil.
func (w *writer) poll() *item {
	select {
	case it := <-w.s.closings:
		return it
	default:
	}
	select {
	case it := <-w.s.sales:
		return it
	default:
		return nil
	}
}

// collect fills a batch with what waits now; it never waits for more, so that a
// lone payment is not slowed down for company.
func (w *writer) collect(first *item) []*item {
	items := []*item{first}
	for len(items) < w.s.cfg.MaxBatch {
		it := w.poll()
		if it == nil {
			break
		}
		items = append(items, it)
	}
	return items
}

// serve runs items until each is answered.
func (w *writer) serve(items []*item) {
	for try := 0; ; try++ {
		w.s.disk.check()
		if items = w.admit(items); len(items) == 0 {
			return
		}
		verdict, err := w.attempt(items)
		switch verdict {
		case committed:
			return
		case dead:
			finish(items, fmt.Errorf("%w: %w", ErrUnknown, err))
			return
		case noSpace:
			if w.s.disk.release() {
				break // closings go into what was kept for them
			}
			finish(items, fmt.Errorf("%w: %w", ErrFull, err))
			return
		case split:
			w.split(items, err)
			return
		}
		if try == maxReruns || !w.pause(try) {
			finish(items, fmt.Errorf("%w: %w", ErrBusy, err))
			return
		}
		w.s.stats.reruns.Add(1)
		for _, it := range items {
			it.move(running, waiting)
		}
	}
}

// split runs a failed batch item by item; a lone item has its own error.
func (w *writer) split(items []*item, err error) {
	if len(items) == 1 {
		finish(items, err)
		return
	}
	w.s.stats.splits.Add(1)
	for _, it := range items {
		it.move(running, waiting)
		w.serve([]*item{it})
	}
}

// admit takes the items that may run: callers who left are forgotten, and a
// full disk or a dead store refuses.
func (w *writer) admit(items []*item) []*item {
	var admitted []*item
	for _, it := range items {
		if !it.state.CompareAndSwap(waiting, running) {
			continue
		}
		switch {
		case w.s.dead.Load():
			it.finish(ErrClosed)
		case it.sale && w.s.disk.isFull():
			it.finish(ErrFull)
		default:
			admitted = append(admitted, it)
		}
	}
	return admitted
}

// finish answers all items with err.
func finish(items []*item, err error) {
	for _, it := range items {
		it.panic = nil
		it.finish(err)
	}
}

// pause waits before another try, longer each time, and not at all when the
// store is closing: then it answers false.
func (w *writer) pause(try int) bool {
	t := time.NewTimer(backoff(try))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.s.stop:
		return false
	}
}

// backoff is 1 ms, doubled with every try up to a second.
func backoff(try int) time.Duration {
	return min(time.Millisecond<<min(try, 10), time.Second)
}

// connect gives the writer a connection that is fit to write on.
func (w *writer) connect() (err error) {
	if w.on != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectDeadline)
	defer cancel()
	if w.on, err = newSession(ctx, w.s.write); err != nil {
		return err
	}
	if err := w.s.engine.prepare(ctx, w.on.conn); err != nil {
		w.drop()
		return fmt.Errorf("preparing the connection: %w", err)
	}
	return nil
}

// drop gives up the writer's connection; the next attempt makes a fresh one.
func (w *writer) drop() {
	if w.on != nil {
		w.on.drop()
		w.on = nil
	}
}

// die ends the store, and by Fatal the process.
func (w *writer) die(err error) {
	if w.s.dead.CompareAndSwap(false, true) {
		w.s.cfg.Fatal(fmt.Errorf("store: %w", err))
	}
}
