package hostlink

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tallystick.example/iso8583"
)

// Errors of an exchange.
var (
	// ErrNotSent means that not one byte of the message has left.
	ErrNotSent = errors.New("the host cannot be reached")
	// ErrNoAnswer means that the message has left, at least in part, and that no
	// answer came in time or the connection broke.
	ErrNoAnswer = errors.New("the host did not answer")
	// ErrBadMAC means that an answer came whose MAC is wrong or missing.
	ErrBadMAC = errors.New("the host's answer has no valid MAC")
	// ErrBadAnswer means that an answer came which is unreadable, breaks the
	// message table, or does not match its request.
	ErrBadAnswer = errors.New("the host's answer is unreadable or does not match")
)

// Limits of one connection.
const (
	// maxPending bounds the messages in flight. A terminal has one payment at a
	// time, so more than a few mean a mistake, not a busy day.
	maxPending = 8
	// maxBad closes a connection after so many messages in a row that cannot be
	// read.
	maxBad = 5
)

// Kind says what a request is to the link.
type Kind uint8

// The kinds of requests.
const (
	Ordinary Kind = iota // leaves only when the terminal has signed on
	SignOn               // leaves first on a new connection
	Echo                 // keeps the connection alive; its result stays in the machine
)

// A Request is one message to carry.
type Request struct {
	Kind    Kind
	Tag     any              // comes back with the result
	Message *iso8583.Message // what was sealed: the answer is matched against it
	Body    []byte           // the packed message, with its MAC when it has one
	// Verify checks the MAC of the answer over its input. It is nil for messages
	// that carry none (echo).
	Verify func(input, mac []byte) bool
}

// Policy is how patient a link is.
type Policy struct {
	EchoEvery  time.Duration // silence of the host after which an echo is sent
	AnswerTime time.Duration // time for an answer, 25 s usually
	RetryFirst time.Duration // wait before connecting again, doubled up to RetryMax
	RetryMax   time.Duration
}

// An Action is something that the machine wants done.
type Action interface{ action() }

// The actions, to be carried out in order.
type (
	// Dial asks for connection number Conn: Dialed or Lost must follow.
	Dial struct{ Conn uint64 }
	// Hangup closes a connection; nothing more is expected of it.
	Hangup struct{ Conn uint64 }
	// Send hands a message to a connection's writer.
	Send struct {
		Conn uint64
		Body []byte
	}
	// WantSignOn asks the caller for the first message of a new connection, WantEcho
	// for a keep-alive; Failed says that there will be none.
	WantSignOn struct{}
	WantEcho   struct{}
	// Result ends a request: with a trusted answer, or with the error that says
	// what is known. A request has one result.
	Result struct {
		Request Request
		Answer  *iso8583.Message
		Err     error
	}
	// Changed says that the host can be reached, or why it cannot any more.
	Changed struct {
		Up  bool
		Why string
	}
	// Stray says that an answer came that nobody waits for any more.
	Stray struct{ Message *iso8583.Message }
)

func (Dial) action()       {}
func (Hangup) action()     {}
func (Send) action()       {}
func (WantSignOn) action() {}
func (WantEcho) action()   {}
func (Result) action()     {}
func (Changed) action()    {}
func (Stray) action()      {}

// phase is where the connection stands.
type phase uint8

const (
	down phase = iota // until due
	dialing
	signingOn
	up
	ended // for good
)

// A key joins an answer with its request: DE 41, DE 11 and the class of the MTI.
type key struct {
	terminal, stan string
	flow           iso8583.MTI
}

func keyOf(m *iso8583.Message) key { return key{m.Terminal(), m.STAN(), m.MTI().Request()} }

// A flight is a request that has left.
type flight struct {
	Request
	key key
	due time.Time
}

// Status is what is known of the link.
type Status struct {
	Up    bool
	Error string // why it is down
	// Late and Bad count answers that nobody waited for and messages that could
	// not be read.
	Late, Bad uint64
}

// A Machine decides for one link. Its owner calls it from one goroutine at a
// time. The zero value with a Policy is a link that has not been started.
type Machine struct {
	Policy Policy

	phase   phase
	conn    uint64        // number of the present connection
	wait    time.Duration // before the next attempt to connect
	due     time.Time     // of it
	heard   time.Time     // last answer of the host
	asked   bool          // an echo is wanted or in flight
	bad     int           // unreadable messages in a row
	flights []flight
	status  Status
}

// Status tells whether the host can be reached.
func (m *Machine) Status() Status { return m.status }

// Start begins to connect.
func (m *Machine) Start(time.Time) []Action {
	m.wait, m.status.Error = m.Policy.RetryFirst, "not connected yet"
	return m.dial()
}

func (m *Machine) dial() []Action {
	m.phase = dialing
	m.conn++
	return []Action{Dial{m.conn}}
}

// Dialed says that a connection stands.
func (m *Machine) Dialed(now time.Time, conn uint64) []Action {
	if conn != m.conn || m.phase != dialing {
		return []Action{Hangup{conn}}
	}
	m.phase, m.heard, m.bad, m.asked = signingOn, now, 0, false
	return []Action{WantSignOn{}}
}

// Send takes a request over: its Result comes now, when it cannot leave, or
// later.
func (m *Machine) Send(now time.Time, r Request) []Action {
	fits := m.phase == up && r.Kind != SignOn || m.phase == signingOn && r.Kind == SignOn
	switch {
	case !fits && r.Kind == Echo:
		return nil // the connection that it was for has ended
	case !fits:
		return m.failed(now, r, fmt.Errorf("%w: %s", ErrNotSent, m.status.Error))
	}
	k := keyOf(r.Message)
	if len(m.flights) >= maxPending || slices.ContainsFunc(m.flights, func(f flight) bool { return f.key == k }) {
		return m.failed(now, r, fmt.Errorf("%w: another message with this number is in flight", ErrNotSent))
	}
	m.flights = append(m.flights, flight{r, k, now.Add(m.Policy.AnswerTime)})
	return []Action{Send{m.conn, r.Body}}
}

// failed is the result of a request without a good answer.
func (m *Machine) failed(now time.Time, r Request, err error) []Action {
	if r.Kind == Echo {
		return m.lost(now, fmt.Sprintf("the host does not answer an echo: %v", err), true)
	}
	return []Action{Result{Request: r, Err: err}}
}

// Forget gives up waiting for the answer of a request; one that comes is a stray.
func (m *Machine) Forget(tag any) {
	m.flights = slices.DeleteFunc(m.flights, func(f flight) bool { return f.Tag == tag })
}

// Failed says that a wanted sign-on or echo could not be made or was refused.
func (m *Machine) Failed(now time.Time, why string) []Action {
	return m.lost(now, why, true)
}

// SignedOn says that the answer to the sign-on lets the terminal work.
func (m *Machine) SignedOn(time.Time) []Action {
	if m.phase != signingOn {
		return nil
	}
	m.phase, m.status.Up, m.status.Error, m.wait = up, true, "", m.Policy.RetryFirst
	return []Action{Changed{Up: true}}
}

// Lost says that a connection could not be made or has ended.
func (m *Machine) Lost(now time.Time, conn uint64, why string) []Action {
	if conn != m.conn || m.phase == down || m.phase == ended {
		return nil
	}
	return m.lost(now, why, false)
}

// lost ends the connection: whatever is in flight may have reached the host.
func (m *Machine) lost(now time.Time, why string, hangup bool) []Action {
	if m.phase == down || m.phase == ended {
		return nil
	}
	var out []Action
	if hangup {
		out = append(out, Hangup{m.conn})
	}
	report := m.status.Up || m.status.Error != why
	m.phase, m.status.Up, m.status.Error = down, false, why
	m.due = now.Add(m.wait)
	m.wait = min(2*m.wait, m.Policy.RetryMax)
	flights := m.flights
	m.flights = nil
	for _, f := range flights {
		if f.Kind == Ordinary {
			out = append(out, Result{Request: f.Request, Err: fmt.Errorf("%w: %s", ErrNoAnswer, why)})
		}
	}
	if report { // once for each new reason
		out = append(out, Changed{Why: why})
	}
	return out
}

// End closes the link for good.
func (m *Machine) End(now time.Time) []Action {
	out := m.lost(now, "the agent is ending", true)
	m.phase = ended
	return out
}

// Next is when Tick must be called; false means that nothing is waited for.
func (m *Machine) Next() (time.Time, bool) {
	var first time.Time
	consider := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	switch m.phase {
	case down:
		consider(m.due)
	case up:
		if !m.asked {
			consider(m.heard.Add(m.Policy.EchoEvery))
		}
	}
	for _, f := range m.flights {
		consider(f.due)
	}
	return first, !first.IsZero()
}

// Tick acts on the time that has passed.
func (m *Machine) Tick(now time.Time) []Action {
	if m.phase == down && !now.Before(m.due) {
		return m.dial()
	}
	var out []Action
	for _, f := range slices.Clone(m.flights) {
		if f.due.After(now) {
			continue
		}
		m.flights = slices.DeleteFunc(m.flights, func(g flight) bool { return g.key == f.key })
		out = append(out, m.failed(now, f.Request, fmt.Errorf("%w in time", ErrNoAnswer))...)
	}
	if m.phase == up && !m.asked && !now.Before(m.heard.Add(m.Policy.EchoEvery)) {
		m.asked = true
		out = append(out, WantEcho{})
	}
	return out
}
