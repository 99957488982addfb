package sweep

import (
	"fmt"
	"path"
	"strings"
	"sync"
	"syscall"

	"tallystick.example/simulator/fault"
	"tallystick.example/simulator/fault/disk"
)

// An Event is something that the program under test did or learned: an
// operation on its disk, or bytes that it sent or received.
//
// Its number in a sale says little: how many pages a commit writes differs from
// sale to sale, and the background writes when it likes. So events of one kind
// and place in a row are a run, runs of one kind and place are counted, and an
// event is known by both: "write host.db-wal 3.2" is the second write of the
// third run of writes to host.db-wal.
type Event struct {
	Number int    `json:"number"` // from 1 in one sale
	Kind   string `json:"kind"`   // write, sync, send to, receive from, …
	Where  string `json:"where"`  // the file, or the other side
	Run    int    `json:"run"`    // from 1
	Step   int    `json:"step"`   // within the run, from 1
	Bytes  int    `json:"bytes,omitempty"`
}

// label is what an event has in common with others of its kind and place.
func (e Event) label() string { return e.Kind + " " + e.Where }

// String is the name by which an event is known.
func (e Event) String() string { return fmt.Sprintf("%s %d.%d", e.label(), e.Run, e.Step) }

// A plan is what to do when an event comes.
type plan struct {
	is       func(Event) bool // the event
	edge     Edge
	errno    syscall.Errno // refuses the operation, for disk events
	diskOnly bool          // other events are not counted
	cut      func()        // stops the program, and the disk where the power goes
}

// A recorder numbers the events of one program, whatever they come from, and
// stops it at one of them. Its methods are safe for concurrent use.
type recorder struct {
	mu    sync.Mutex
	plan  *plan
	log   []Event        // since arm
	runs  map[string]int // since arm, by label
	at    Event          // at which the plan was carried out
	hit   bool
	dead  bool          // the program has been stopped: nothing of it counts any more
	moved chan struct{} // has room for one: something happened
}

func newRecorder() *recorder { return &recorder{moved: make(chan struct{}, 1)} }

// arm begins to count, from 1.
func (r *recorder) arm(p plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan, r.log, r.runs, r.hit = &p, nil, map[string]int{}, false
}

// disarm ends the counting. It tells what was counted, and at which event the
// plan was carried out, if it was.
func (r *recorder) disarm() (log []Event, at Event, hit bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan = nil
	return r.log, r.at, r.hit
}

// revive lets events count again after a cut.
func (r *recorder) revive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead = false
}

// wasHit reports whether the event of the plan has come.
func (r *recorder) wasHit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hit
}

// A verdict is what becomes of an event.
type verdict struct {
	refuse syscall.Errno // 0 lets it happen
	after  func()
}

// gone is what happens to everything that a stopped program had under way.
var gone = verdict{refuse: syscall.EIO}

// happens numbers an event and decides about it.
func (r *recorder) happens(kind, where string, bytes int, onDisk bool) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return gone
	}
	p := r.plan
	if p == nil || p.diskOnly && !onDisk {
		return verdict{}
	}
	e, counts := r.next(kind, where, bytes, onDisk)
	if !counts {
		return verdict{}
	}
	r.log = append(r.log, e)
	select {
	case r.moved <- struct{}{}:
	default:
	}
	if r.hit || p.is == nil || !p.is(e) {
		return verdict{}
	}
	r.hit, r.at = true, e
	switch {
	case p.errno != 0:
		return verdict{refuse: p.errno}
	case p.edge == Before:
		r.stop(p)
		return gone
	}
	return verdict{after: func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stop(p)
	}}
}

// next names the event that comes. Further bytes of a stream are no event: how
// it is cut into chunks is chance. mu is held.
func (r *recorder) next(kind, where string, bytes int, onDisk bool) (e Event, counts bool) {
	e = Event{Number: len(r.log) + 1, Kind: kind, Where: where, Step: 1, Bytes: bytes}
	if n := len(r.log); n > 0 && r.log[n-1].label() == e.label() {
		if !onDisk {
			return e, false
		}
		e.Run, e.Step = r.log[n-1].Run, r.log[n-1].Step+1
		return e, true
	}
	r.runs[e.label()]++
	e.Run = r.runs[e.label()]
	return e, true
}

// stop carries out the plan; mu is held.
func (r *recorder) stop(p *plan) {
	r.dead = true
	p.cut()
}

// disk is the hook of a disk; only events that mine picks are the program's.
func (r *recorder) disk(mine func(path string) bool) disk.Hook {
	return func(e disk.Event) disk.Verdict {
		if !mine(e.Path) {
			return disk.Verdict{}
		}
		v := r.happens(string(e.Kind), fileName(e.Path), e.Bytes, true)
		return disk.Verdict{Errno: v.refuse, After: v.after}
	}
}

// fileName is a path without what differs from run to run.
func fileName(p string) string {
	if p == "" {
		return "."
	}
	name := path.Base(p)
	// Temporary files have a random number in their names.
	return strings.TrimRight(name, "0123456789")
}

// line is the hook of a proxy to peer; sends is the direction in which the
// program sends.
func (r *recorder) line(peer string, sends fault.Direction) fault.Hook {
	return func(e fault.Event) fault.Verdict {
		kind := "receive from"
		if e.Direction == sends {
			kind = "send to"
		}
		v := r.happens(kind, peer, e.Bytes, false)
		return fault.Verdict{Drop: v.refuse != 0, After: v.after}
	}
}
