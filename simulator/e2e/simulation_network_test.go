package e2e_test

import (
	"fmt"
	"slices"
	"time"

	agent "tallystick.example/agent/app"
	host "tallystick.example/host/app"
)

// A simLine is a connection between a terminal and the host.
type simLine struct {
	s      *simulation
	number uint64 // at the host
	agent  *simAgent
	life   int    // of the agent
	conn   uint64 // at the agent
	up     bool
}

// dial tries to connect.
func (s *simulation) dial(a *simAgent, conn uint64) {
	wait := 10*time.Millisecond + s.soon(200*time.Millisecond)
	a.later(wait, "dials", func() {
		if s.host.parts == nil || s.mishap(10) {
			a.step(agent.Disconnected{Conn: conn, Why: "connection refused"})
			return
		}
		s.serial++
		l := &simLine{s: s, number: s.serial, agent: a, life: a.life, conn: conn, up: true}
		s.lines[l.number] = l
		s.host.step(host.LineUp{Line: l.number, Who: simIdentity(a.id), Print: simPrint(a.id)})
		if l.up {
			a.step(agent.Connected{Conn: conn})
		}
	})
}

// sorted are the connections in order.
func (s *simulation) sorted() []*simLine {
	var out []*simLine
	for _, l := range s.lines {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *simLine) int { return int(int64(a.number) - int64(b.number)) })
	return out
}

func (s *simulation) lineOf(a *simAgent, conn uint64) *simLine {
	for _, l := range s.sorted() {
		if l.agent == a && l.life == a.life && l.conn == conn {
			return l
		}
	}
	return nil
}

func (s *simulation) hangup(a *simAgent, conn uint64) {
	if l := s.lineOf(a, conn); l != nil {
		l.cut("hung up")
	}
}

// cut ends a connection; each end that still runs learns of it.
func (l *simLine) cut(why string) {
	if !l.up {
		return
	}
	l.up = false
	delete(l.s.lines, l.number)
	a, number := l.agent, l.number
	if a.books != nil && a.life == l.life {
		a.later(l.s.soon(50*time.Millisecond), "disconnected: "+why, func() { a.step(agent.Disconnected{Conn: l.conn, Why: why}) })
	}
	l.s.host.later(l.s.soon(50*time.Millisecond), fmt.Sprintf("line %d down", number), func() { l.s.host.step(host.LineDown{Line: number}) })
}

// carry takes a message over a connection: late, twice, or not at all. A message
// may be overtaken by another one.
func (s *simulation) carry(l *simLine, what string, body []byte, deliver func([]byte)) {
	what = fmt.Sprintf("line %d %s", l.number, what)
	if s.mishap(60) {
		s.after(s.soon(time.Second), what+": cut", func() { l.cut("the network broke it") })
	}
	copies := 1
	switch {
	case s.mishap(15):
		copies = 0
	case s.mishap(15):
		copies = 2
	}
	for range copies {
		delay := 5*time.Millisecond + s.soon(300*time.Millisecond)
		if s.mishap(12) {
			delay += s.soon(40 * time.Second) // long after everybody has given up
		}
		s.after(delay, what, func() {
			if l.up {
				deliver(append([]byte(nil), body...))
			}
		})
	}
}
