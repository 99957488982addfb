package authorize

import (
	"context"
	"time"
)

// pollEvery is how often a repeat looks at a row that another node may be
// deciding.
const pollEvery = 250 * time.Millisecond

// A flight is a transaction that calls of this process are concerned with.
type flight struct {
	decided chan struct{} // closed when somebody should look at the row again
	calls   int
}

// join registers a call for id, before its row can be seen by others, so that
// nobody waits in vain. The caller leaves the flight.
func (e *Engine) join(id string) *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, ok := e.flights[id]
	if !ok {
		f = &flight{decided: make(chan struct{})}
		e.flights[id] = f
	}
	f.calls++
	return f
}

// leave ends what join began.
func (e *Engine) leave(id string, f *flight) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f.calls--
	if f.calls == 0 && e.flights[id] == f {
		delete(e.flights, id)
	}
}

// done tells all who wait for id to look again.
func (e *Engine) done(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f, ok := e.flights[id]; ok {
		close(f.decided)
		delete(e.flights, id)
	}
}

// flying reports whether a call of this process is concerned with id.
func (e *Engine) flying(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.flights[id]
	return ok
}

// await waits until a transaction may have been decided; false when the time of
// the message is over.
func (e *Engine) await(ctx context.Context, f *flight) bool {
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-f.decided:
	case <-t.C:
	}
	return true
}
