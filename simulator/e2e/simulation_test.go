package e2e_test

import (
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A simulation is a few terminals, one host and an issuer in virtual time, on one
// goroutine, from one seed: the Cores of both programs with their real journals,
// registers, databases, boundary, EMV kernel and card. What is between them is
// the simulation's: it delays, loses, doubles and reorders, cuts connections,
// ends programs between any two actions, and lets nobody know what became of a
// commit. What a program had in memory is then lost, and a new Core starts from
// what is durable.
type simulation struct {
	t      testing.TB
	seed   uint64
	rnd    *rand.Rand
	bytes  *rand.ChaCha8 // what the programs draw at random
	now    time.Time
	queue  eventQueue
	serial uint64
	trace  hash.Hash
	events int
	log    []string // the last lines of the trace
	calm   bool     // no fault happens any more
	dir    string
	host   *simHost
	agents []*simAgent
	lines  map[uint64]*simLine
	faults []string // what a check has found while the simulation ran
}

// simStart is when every simulation begins.
var simStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Sizes of one simulation.
const (
	simTerminals = 3
	simSales     = 6               // of each terminal
	simBusy      = 8 * time.Minute // in which sales begin and faults happen
	simSettle    = time.Hour       // in which everything must have come to its end
	maxEvents    = 200_000
)

// An entry of the queue.
type entry struct {
	at     time.Time
	serial uint64
	what   string
	do     func()
}

// eventQueue is a heap by time; what is due at the same time keeps its order.
type eventQueue []entry

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].serial < q[j].serial
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(entry)) }
func (q *eventQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// newSimulation makes the world of a seed, before anything has happened.
func newSimulation(t testing.TB, seed uint64) *simulation {
	t.Helper()
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	s := &simulation{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), bytes: rand.NewChaCha8(key), now: simStart,
		trace: sha256.New(), dir: simFolder(t), lines: map[uint64]*simLine{}}
	s.host = newSimHost(s)
	for n := range simTerminals {
		s.agents = append(s.agents, newSimAgent(s, n))
	}
	return s
}

// simFolder is a folder in memory where there is one: a simulation writes much
// and needs none of it to last.
func simFolder(t testing.TB) string {
	t.Helper()
	for _, base := range []string{"/dev/shm", ""} {
		dir, err := os.MkdirTemp(base, "simulation")
		if err == nil {
			t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
			return dir
		}
	}
	t.Fatal("no folder can be made")
	return ""
}

func (s *simulation) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// after has something happen in a while.
func (s *simulation) after(d time.Duration, what string, do func()) {
	s.serial++
	heap.Push(&s.queue, entry{s.now.Add(d), s.serial, what, do})
}

// soon is a short time, between 0 and d.
func (s *simulation) soon(d time.Duration) time.Duration {
	return time.Duration(s.rnd.Int64N(int64(d)))
}

// mishap is true once in n times, and never in a calm simulation.
func (s *simulation) mishap(n int) bool { return !s.calm && s.rnd.IntN(n) == 0 }

// note puts a line into the trace.
func (s *simulation) note(format string, args ...any) {
	line := fmt.Sprintf("%9.3f ", s.now.Sub(simStart).Seconds()) + fmt.Sprintf(format, args...)
	_, _ = s.trace.Write([]byte(line + "\n")) // a hash takes everything
	if len(s.log) == 4000 {
		s.log = append(s.log[:0:0], s.log[1000:]...)
	}
	s.log = append(s.log, line)
}

func (s *simulation) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// run lets the simulation happen, first with faults and then without, until
// nothing is owed any more, and returns the hash of its trace.
func (s *simulation) run() string {
	s.host.start()
	for _, a := range s.agents {
		a.start()
	}
	s.until(simStart.Add(simBusy), func() bool { return false })
	s.note("calm")
	s.calm = true
	s.until(simStart.Add(simBusy+simSettle), s.settled)
	if !s.settled() {
		s.fault("after %v without faults not everything has come to its end: %s", simSettle, s.owed())
	}
	s.check()
	s.close()
	return hex.EncodeToString(s.trace.Sum(nil))
}

// until carries out events up to a time, or until done says so.
func (s *simulation) until(end time.Time, done func() bool) {
	for s.queue.Len() > 0 && !s.queue[0].at.After(end) {
		if s.events++; s.events > maxEvents {
			s.fault("the simulation does not end")
			return
		}
		e := heap.Pop(&s.queue).(entry)
		s.now = e.at
		s.note("%s", e.what)
		e.do()
		if s.events%50 == 0 && done() {
			return
		}
	}
	if s.now.Before(end) && !done() {
		s.now = end
	}
}

// settled reports whether nothing is owed any more.
func (s *simulation) settled() bool { return s.owed() == "" }

// owed is what has not come to its end yet.
func (s *simulation) owed() string {
	for _, a := range s.agents {
		if a.books == nil || a.core.Busy() || len(a.books.Journal.Unfinished()) > 0 || a.left > 0 {
			return a.id + " has not ended its sales"
		}
	}
	if s.host.parts == nil {
		return "the host is down"
	}
	n, err := s.host.parts.Open(s.t.Context())
	must(s.t, err)
	if n > 0 {
		return fmt.Sprintf("%d rows or reversals are open at the host", n)
	}
	return ""
}

func (s *simulation) close() {
	for _, a := range s.agents {
		a.crash()
	}
	s.host.crash()
	must(s.t, s.host.issuer.Close())
}
