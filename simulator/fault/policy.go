// Package fault is a bad network and a bad serial line: proxies that pass,
// delay, hold, drop or cut what goes through them, byte for byte, on command.
// Every chunk is an event with a number, which a crash test can stop at.
package fault

import (
	"fmt"
	"sync"
	"time"
)

// A Direction is the way a chunk goes.
type Direction string

// The directions of a proxy: up is from the side that connects (a terminal, or
// the program on the serial line) to the side that is connected to.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// A Mode says what happens to chunks of one direction.
type Mode string

// The modes.
const (
	Pass  Mode = "pass"  // forwarded
	Drop  Mode = "drop"  // read and thrown away; the sender does not notice
	Stall Mode = "stall" // not read: the sender's buffers fill up
	Cut   Mode = "cut"   // the connection is closed
)

// A Policy is what a direction does.
type Policy struct {
	Mode Mode `json:"mode"`
	// After passes this many further bytes before Mode begins.
	After int64 `json:"after,omitempty"`
	// Delay holds every chunk back for this long before it is forwarded.
	Delay time.Duration `json:"delay,omitempty"`
}

// check reports a policy that does not exist.
func (p Policy) check() error {
	switch p.Mode {
	case Pass, Drop, Stall, Cut:
	default:
		return fmt.Errorf("mode is %q, want pass, drop, stall or cut", p.Mode)
	}
	if p.After < 0 || p.Delay < 0 || p.Delay > time.Minute {
		return fmt.Errorf("after is %d and delay %v, want at least 0 and 0 to 1m", p.After, p.Delay)
	}
	return nil
}

// An Event is one chunk that a proxy has read and not yet forwarded.
type Event struct {
	Number    int64     `json:"event"` // from 1, over all connections of the proxy
	Direction Direction `json:"direction"`
	Bytes     int       `json:"bytes"`
}

// A Verdict is what a hook makes of an event. The zero value lets the policy of
// the direction decide.
type Verdict struct {
	// Drop throws the chunk away, whatever the policy says.
	Drop bool
	// After, when it is not nil, runs once the chunk has been forwarded, and before
	// the next one of its direction is read.
	After func()
}

// A Hook is called for each chunk before it is forwarded, from one goroutine a
// direction. It may take its time, for instance to kill one of the two sides.
type Hook func(Event) Verdict

// state is shared by all connections of a proxy.
type state struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change of a policy
	policy  map[Direction]Policy
	bytes   map[Direction]int64 // read so far
	events  int64
	links   int
	hook    Hook
}

func newState(hook Hook) *state {
	return &state{
		changed: make(chan struct{}),
		policy:  map[Direction]Policy{Up: {Mode: Pass}, Down: {Mode: Pass}},
		bytes:   map[Direction]int64{},
		hook:    hook,
	}
}

func (s *state) set(d Direction, p Policy) error {
	if err := p.check(); err != nil {
		return err
	}
	if d != Up && d != Down {
		return fmt.Errorf("direction is %q, want up or down", d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy[d] = p
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// arrived records a chunk and tells how many of its n bytes pass, then what
// happens to the rest, and what to do once they have passed.
func (s *state) arrived(d Direction, n int) (pass int, rest Policy, after func()) {
	s.mu.Lock()
	s.events++
	e := Event{Number: s.events, Direction: d, Bytes: n}
	s.bytes[d] += int64(n)
	p := s.policy[d]
	pass = n
	if p.Mode != Pass {
		pass = int(min(p.After, int64(n)))
		p.After -= int64(pass)
		s.policy[d] = p
	}
	s.mu.Unlock()
	if s.hook == nil {
		return pass, p, nil
	}
	v := s.hook(e)
	if v.Drop {
		return 0, Policy{Mode: Drop}, nil
	}
	return pass, p, v.After
}

// now is the policy of d and a channel that closes when any policy changes.
func (s *state) now(d Direction) (Policy, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy[d], s.changed
}

func (s *state) link(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links += n
}

// A Status is what a proxy has seen so far.
type Status struct {
	Policy map[Direction]Policy `json:"policy"`
	Bytes  map[Direction]int64  `json:"bytes"`
	Events int64                `json:"events"`
	Links  int                  `json:"links"` // connections open now
}

func (s *state) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Policy: map[Direction]Policy{}, Bytes: map[Direction]int64{}, Events: s.events, Links: s.links}
	for d, p := range s.policy {
		st.Policy[d], st.Bytes[d] = p, s.bytes[d]
	}
	return st
}
