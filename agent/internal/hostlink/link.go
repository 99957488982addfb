// Package hostlink is the terminal's connection to the host: mutual TLS 1.3, one
// writer, many messages in flight, answers in any order, and a new connection
// whenever the old one is lost. It knows nothing of payments: it carries a sealed
// message, finds its answer, and says whether the answer can be trusted.
package hostlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/xlog"
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

// maxPending bounds the messages in flight. A terminal has one payment at a
// time, so more than a few mean a mistake, not a busy day.
const maxPending = 8

// A Request is one message to carry.
type Request struct {
	Message *iso8583.Message // what was sealed: the answer is matched against it
	Body    []byte           // the packed message, with its MAC when it has one
	// Verify checks the MAC of the answer over its input. It is nil for messages
	// that carry none (echo).
	Verify func(input, mac []byte) bool
}

// An Exchanger carries one request and returns its answer, checked.
type Exchanger func(ctx context.Context, r Request) (*iso8583.Message, error)

// Options says what a Link needs.
type Options struct {
	// Dial makes a connection; DialTLS gives the usual one.
	Dial func(ctx context.Context) (net.Conn, error)
	// SignOn runs on each new connection before anything else is carried; an error
	// closes the connection.
	SignOn func(ctx context.Context, exchange Exchanger) error
	// Echo makes the keep-alive message; it is sent after EchoEvery without an
	// answer from the host.
	Echo func() (Request, error)
	// Up is told when the host can be reached and when no more.
	Up func(up bool)
	// Tap sees each message as it leaves or comes; it may be nil.
	Tap func(sent bool, body []byte)

	EchoEvery  time.Duration
	AnswerTime time.Duration // time for an answer, 25 s usually
	WriteTime  time.Duration // time to hand a message to the network
	RetryFirst time.Duration // wait before connecting again, doubled up to RetryMax
	RetryMax   time.Duration
	Log        logrus.FieldLogger
}

// Status is what is known of the link.
type Status struct {
	Up    bool
	Since time.Time // of the present state
	Error string    // why it is down
	// Late and Bad count answers that nobody waited for and messages that could
	// not be read.
	Late, Bad uint64
}

// A Link keeps a connection to the host. Exchange and Status may be called from
// any goroutine; Run owns the connection.
type Link struct {
	o Options

	mu      sync.Mutex
	session *session // nil while down or not yet signed on
	status  Status
	changed chan struct{}
}

// New makes a link; nothing is dialled before Run.
func New(o Options) *Link {
	return &Link{o: o, changed: make(chan struct{}), status: Status{Since: time.Now(), Error: "not connected yet"}}
}

// DialTLS dials address and completes the TLS handshake, within ten seconds.
func DialTLS(address string, config *tls.Config) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		d := tls.Dialer{Config: config}
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("connecting to the host at %s: %w", address, err)
		}
		return c, nil
	}
}

// Run connects, and connects again after each loss, until ctx ends.
func (l *Link) Run(ctx context.Context) error {
	wait := l.o.RetryFirst
	for {
		up, err := l.connect(ctx)
		if ctx.Err() != nil {
			l.set(nil, context.Cause(ctx))
			return nil
		}
		if up {
			wait = l.o.RetryFirst
		}
		l.set(nil, err)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		wait = min(2*wait, l.o.RetryMax)
	}
}

// connect is one life of a connection; up tells whether it came to a sign-on.
func (l *Link) connect(ctx context.Context) (up bool, err error) {
	conn, err := l.o.Dial(ctx)
	if err != nil {
		return false, err
	}
	s := newSession(conn, l)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for name, work := range map[string]func(context.Context) error{"host link reader": s.read, "host link writer": s.write} {
		group.Add(1)
		go func() {
			defer group.Done()
			defer xlog.Recover(l.o.Log, name, func() { cancel(errors.New("the " + name + " died")) })
			cancel(work(ctx))
		}()
	}
	// Closing the connection is what ends a blocked read.
	stop := context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })
	defer func() {
		cancel(err)
		group.Wait()
		stop()
		s.end(err)
	}()
	if err := l.o.SignOn(ctx, s.exchange); err != nil {
		return false, fmt.Errorf("signing on: %w", firstCause(ctx, err))
	}
	l.set(s, nil)
	return true, s.keepAlive(ctx)
}

// firstCause prefers the reason for which the connection ended.
func firstCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// set notes a new state and tells those who wait.
func (l *Link) set(s *session, err error) {
	l.mu.Lock()
	was := l.status.Up
	l.session = s
	l.status.Up = s != nil
	if was != l.status.Up {
		l.status.Since = time.Now()
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	report := text != l.status.Error && text != "" // one line for each new reason
	l.status.Error = text
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	switch {
	case s != nil:
		l.o.Log.Info("signed on to the host")
	case report:
		l.o.Log.WithField("reason", text).Warn("no connection to the host, trying again")
	}
	if was != (s != nil) && l.o.Up != nil {
		l.o.Up(s != nil)
	}
}

// Status tells whether the host can be reached.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// WaitUp waits until the terminal has signed on, or ctx ends.
func (l *Link) WaitUp(ctx context.Context) error {
	for {
		l.mu.Lock()
		up, changed := l.status.Up, l.changed
		l.mu.Unlock()
		if up {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// Exchange sends a request and waits for its answer. Errors are ErrNotSent,
// ErrNoAnswer (also when ctx ends after sending), ErrBadMAC and ErrBadAnswer.
func (l *Link) Exchange(ctx context.Context, r Request) (*iso8583.Message, error) {
	l.mu.Lock()
	s, why := l.session, l.status.Error
	l.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotSent, why)
	}
	return s.exchange(ctx, r)
}

func (l *Link) count(late, bad uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Late += late
	l.status.Bad += bad
}
