// Package sweep is the crash sweep: it kills a program at every durable write,
// sync, send and receive of a sale, cuts the power there, or fails the operation,
// and proves after each that nothing was lost and nothing was doubled.
//
// Events are numbered by the sweep itself: the files of the program lie on a bad
// disk (simulator/fault/disk), its serial lines and sockets go through proxies
// (simulator/fault), and all of them report to one recorder. Everything else is
// real: the programs are processes, the books are their own exports, and the
// till believes only what it was told.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"syscall"
	"time"

	"tallystick.example/simulator/lab"
)

// A Target is the program that is swept.
type Target string

// The targets.
const (
	Agent    Target = lab.Agent
	Host     Target = lab.Host
	Boundary Target = lab.Boundary
)

// What happens at an event.
type What string

// The kinds of sweeps.
const (
	Kill  What = "kill"  // SIGKILL: what was written stays
	Power What = "power" // the machine stops: what was not synced may be lost or torn
	Error What = "error" // the disk refuses the operation, with EIO or ENOSPC
)

// An Edge says on which side of the operation a program is stopped.
type Edge string

// The edges.
const (
	Before Edge = "before" // the operation does not happen
	After  Edge = "after"  // it has happened, and the program never learns of it
	// Either is one of the two at each event, by the seed.
	Either Edge = "either"
)

// A Plant is a mistake that is put into a program, to prove that the sweep finds
// it.
type Plant string

// The plants.
const (
	NoPlant   Plant = ""
	NoSync    Plant = "nosync"            // nothing is synced
	SendFirst Plant = "send-before-write" // the request leaves before its intent is durable
)

// Options say what to sweep.
type Options struct {
	Bin    string // folder with agent, host and simulator
	Dir    string // folder to work in, which must not exist; its path short
	Target Target
	What   What
	Seed   uint64
	// Images is how many power cuts there are, at random events.
	Images int
	// Edge is tried at each event when killing; empty tries before and after.
	Edge Edge
	// Event and Image pick one case, to look at it again; "" and -1 pick none.
	Event string
	Image int
	// Twice stops the program a second time, at a random event of its recovery.
	Twice bool
	Plant Plant
	// Progress is told once in a while what is being done, and of each finding at
	// once; it may be nil.
	Progress func(string)
}

// Limits of a sweep.
const (
	maxSteps    = 500 // of one run
	maxFindings = 20  // then the sweep ends: something is broken
	tallyEvery  = 10  // cases
	misses      = 10  // tries of an event that a sale usually has
	missesToEnd = 3   // tries of one that it may have
)

// A case is one thing that is done to one sale.
type plannedCase struct {
	event string // empty for a sale that nothing is done to
	edge  Edge
	errno syscall.Errno
	image int // which power cut, -1 for none
}

// name is the column of the case in the table.
func (c plannedCase) name() string {
	switch c.errno {
	case 0:
		return string(c.edge)
	case syscall.ENOSPC:
		return "ENOSPC"
	}
	return "EIO"
}

// random is the source of everything random about the case.
func (c plannedCase) random(seed uint64) *rand.Rand {
	h := fnv.New64a()
	// A hash does not fail.
	_, _ = fmt.Fprint(h, c.event, c.edge, c.image)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Run sweeps. Its error is one that prevented the sweep; what the sweep found is
// in the report.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.check(); err != nil {
		return Report{}, err
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	start := time.Now()
	b, err := newBench(ctx, o)
	if err != nil {
		return Report{}, err
	}
	s := &sweep{o: o, b: b, report: newReport(o), seen: map[Finding]bool{}}
	err = s.run(ctx)
	err = errors.Join(err, b.close())
	s.report.finish(time.Since(start))
	return s.report, err
}

func (o Options) check() error {
	switch o.Target {
	case Agent, Host, Boundary:
	default:
		return fmt.Errorf("the target is %q, want agent, host or boundary", o.Target)
	}
	switch o.What {
	case Kill, Power, Error:
	default:
		return fmt.Errorf("what is %q, want kill, power or error", o.What)
	}
	switch o.Edge {
	case "", Before, After, Either:
	default:
		return fmt.Errorf("the edge is %q, want before, after, either or both", o.Edge)
	}
	switch o.Plant {
	case NoPlant:
	case NoSync:
		if o.Target == Boundary {
			return errors.New("nosync can be planted in agent and host only")
		}
	case SendFirst:
		if o.Target != Agent {
			return errors.New("send-before-write can be planted in the agent only")
		}
	default:
		return fmt.Errorf("the plant is %q, want nosync or send-before-write", o.Plant)
	}
	return nil
}

// sweep is one run.
type sweep struct {
	o      Options
	b      *bench
	report Report
	seen   map[Finding]bool
	cases  int
}

// errBroken ends a sweep whose programs do not come up any more: the finding
// says why.
var errBroken = errors.New("the sweep cannot go on")

func (s *sweep) run(ctx context.Context) error {
	sales, err := s.b.baseline(ctx)
	if err != nil {
		return err
	}
	runs := plans(sales)
	s.report.expect(runs, s.o.What != Power && s.o.Event == "")
	switch {
	case s.o.Event != "":
		err = s.one(ctx)
	case s.o.What == Power:
		err = s.images(ctx, sales[len(sales)-1])
	default:
		err = s.every(ctx, runs)
	}
	if errors.Is(err, errBroken) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.tally(ctx); err != nil {
		return err
	}
	return s.b.proofs(ctx, s.find)
}

// columns are the cases of one event.
func (s *sweep) columns(event string) []plannedCase {
	if s.o.What == Error {
		return []plannedCase{
			{event: event, edge: Before, errno: syscall.EIO, image: -1},
			{event: event, edge: Before, errno: syscall.ENOSPC, image: -1},
		}
	}
	before, after := plannedCase{event: event, edge: Before, image: -1}, plannedCase{event: event, edge: After, image: -1}
	switch s.o.Edge {
	case Before:
		return []plannedCase{before}
	case After:
		return []plannedCase{after}
	case Either:
		return []plannedCase{[]plannedCase{before, after}[before.random(s.o.Seed).IntN(2)]}
	}
	return []plannedCase{before, after}
}

// every visits every event: of each run the steps that sales have, and further
// ones until none comes any more.
func (s *sweep) every(ctx context.Context, runs []run) error {
	for _, r := range runs {
		for step := 1; step <= maxSteps; step++ {
			tries := missesToEnd
			if step <= r.shortest {
				tries = misses
			}
			reached := false
			for _, c := range s.columns(r.event(step)) {
				hit, err := s.until(ctx, c, tries)
				if err != nil {
					return err
				}
				reached = reached || hit
			}
			if step >= r.longest && (!reached || !r.varies()) {
				break
			}
		}
	}
	return nil
}

// until tries a case until its event comes; past the end of a sale it never
// does.
func (s *sweep) until(ctx context.Context, c plannedCase, tries int) (bool, error) {
	for range tries {
		t, err := s.try(ctx, c)
		if err != nil || t.reached {
			return t.reached, err
		}
	}
	return false, nil
}

// images cuts the power at random events.
func (s *sweep) images(ctx context.Context, events []Event) error {
	for i := range s.o.Images {
		if err := s.image(ctx, i, events); err != nil {
			return err
		}
	}
	return nil
}

// image is one power cut. An event that does not come this time is replaced by
// another one.
func (s *sweep) image(ctx context.Context, i int, events []Event) error {
	r := rand.New(rand.NewPCG(s.o.Seed, uint64(i)))
	for range 100 {
		c := plannedCase{event: events[r.IntN(len(events))].String(), edge: []Edge{Before, After}[r.IntN(2)], image: i}
		t, err := s.try(ctx, c)
		if err != nil || t.reached {
			return err
		}
	}
	return fmt.Errorf("no event of image %d came", i)
}

// one does the cases of one event again.
func (s *sweep) one(ctx context.Context) error {
	for _, c := range s.columns(s.o.Event) {
		if s.o.What == Power {
			c.image = max(s.o.Image, 0)
		}
		hit, err := s.until(ctx, c, misses)
		if err != nil {
			return err
		}
		if !hit {
			return fmt.Errorf("no sale of %d had the event %q", misses, s.o.Event)
		}
	}
	return nil
}

// try does one case and keeps what came of it.
func (s *sweep) try(ctx context.Context, c plannedCase) (trial, error) {
	t, err := s.b.trial(ctx, c)
	if err != nil {
		return t, err
	}
	s.report.add(t)
	for _, f := range t.findings {
		s.find(f)
	}
	if t.broken || len(s.report.Findings) >= maxFindings {
		return t, errBroken
	}
	s.cases++
	if s.cases%tallyEvery == 0 {
		s.o.Progress(fmt.Sprintf("%s of the %s: %s, %d cases, %d findings", s.o.What, s.o.Target, c.event, s.cases, len(s.report.Findings)))
		if err := s.tally(ctx); err != nil {
			return t, err
		}
	}
	return t, nil
}

// tally compares the books.
func (s *sweep) tally(ctx context.Context) error {
	r, findings, err := s.b.tally(ctx)
	if err != nil {
		return err
	}
	s.report.Tally = r
	for _, f := range findings {
		s.find(f)
	}
	return nil
}

// find keeps a finding, once, and says how to see it again.
func (s *sweep) find(f Finding) {
	if s.seen[f] {
		return
	}
	s.seen[f] = true
	f.Replay = s.o.replay(f)
	s.report.Findings = append(s.report.Findings, f)
	s.o.Progress(f.String())
}
