package hostlink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"tallystick.example/iso8583"
)

// maxBad closes a connection after so many messages in a row that cannot be read.
const maxBad = 5

// A key joins an answer with its request: DE 41, DE 11 and the class of the MTI.
type key struct {
	terminal, stan string
	flow           iso8583.MTI
}

func keyOf(m *iso8583.Message) key { return key{m.Terminal(), m.STAN(), m.MTI().Request()} }

// A session is one connection.
type session struct {
	link   *Link
	conn   net.Conn
	writes chan *waiter
	once   sync.Once
	ended  chan struct{}

	mu      sync.Mutex
	cause   error
	pending map[key]*waiter
	heard   time.Time // last answer
}

// A waiter is one request in flight.
type waiter struct {
	Request
	key     key
	started bool        // a byte may have left; guarded by session.mu
	answer  chan result // has room for one
}

type result struct {
	raw []byte
	msg *iso8583.Message
	err error
}

func newSession(conn net.Conn, l *Link) *session {
	return &session{link: l, conn: conn, writes: make(chan *waiter, maxPending), ended: make(chan struct{}),
		pending: map[key]*waiter{}, heard: time.Now()}
}

// end closes the connection and wakes all who wait. The first cause counts.
func (s *session) end(cause error) {
	s.once.Do(func() {
		s.mu.Lock()
		s.cause = cause
		s.mu.Unlock()
		close(s.ended)
		// What the peer or the network thinks of the close changes nothing for us.
		_ = s.conn.Close()
	})
}

// exchange is Link.Exchange on this connection.
func (s *session) exchange(ctx context.Context, r Request) (*iso8583.Message, error) {
	w := &waiter{Request: r, key: keyOf(r.Message), answer: make(chan result, 1)}
	if err := s.enter(w); err != nil {
		return nil, err
	}
	defer s.leave(w)
	ctx, cancel := context.WithTimeout(ctx, s.link.o.AnswerTime)
	defer cancel()
	select {
	case s.writes <- w:
	case <-s.ended:
		return nil, s.lost(w, nil)
	case <-ctx.Done():
		return nil, s.lost(w, context.Cause(ctx))
	}
	select {
	case got := <-w.answer:
		return w.check(got)
	case <-s.ended:
		return nil, s.lost(w, nil)
	case <-ctx.Done():
		return nil, s.lost(w, context.Cause(ctx))
	}
}

// enter registers a request; two with one key would take each other's answers.
func (s *session) enter(w *waiter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) >= maxPending || s.pending[w.key] != nil {
		return fmt.Errorf("%w: another message with this number is in flight", ErrNotSent)
	}
	s.pending[w.key] = w
	return nil
}

func (s *session) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[w.key] == w {
		delete(s.pending, w.key)
	}
}

// lost says what is known of a request without an answer. One that the writer
// has not begun is marked, so that it never leaves afterwards.
func (s *session) lost(w *waiter, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why == nil {
		why = s.cause
	}
	if s.pending[w.key] == w {
		delete(s.pending, w.key)
	}
	if w.started {
		return fmt.Errorf("%w: %w", ErrNoAnswer, why)
	}
	return fmt.Errorf("%w: %w", ErrNotSent, why)
}

// claim marks a request as leaving; it reports false when its sender has given
// it up.
func (s *session) claim(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[w.key] != w {
		return false
	}
	w.started = true
	return true
}

// write is the only goroutine that writes to the connection.
func (s *session) write(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case w := <-s.writes:
			if !s.claim(w) {
				continue
			}
			if s.link.o.Tap != nil {
				s.link.o.Tap(true, w.Body)
			}
			if err := s.conn.SetWriteDeadline(time.Now().Add(s.link.o.WriteTime)); err != nil {
				return fmt.Errorf("sending to the host: %w", err)
			}
			if err := iso8583.WriteFrame(s.conn, iso8583.Frame{Body: w.Body}); err != nil {
				return fmt.Errorf("sending to the host: %w", err)
			}
		}
	}
}

// read takes answers from the connection until it breaks. A frame that has begun
// must end within the answer time, a connection may stay silent: the echo finds
// out about it.
func (s *session) read(ctx context.Context) error {
	r := bufio.NewReaderSize(s.conn, 4096)
	bad := 0
	for {
		if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
			return fmt.Errorf("reading from the host: %w", err)
		}
		if _, err := r.Peek(1); err != nil {
			return fmt.Errorf("the connection to the host ended: %w", err)
		}
		if err := s.conn.SetReadDeadline(time.Now().Add(s.link.o.AnswerTime)); err != nil {
			return fmt.Errorf("reading from the host: %w", err)
		}
		f, err := iso8583.ReadFrame(r, nil, iso8583.Limits{})
		if err != nil {
			return fmt.Errorf("reading from the host: %w", err)
		}
		if s.link.o.Tap != nil {
			s.link.o.Tap(false, f.Body)
		}
		if s.dispatch(f.Body) {
			bad = 0
			continue
		}
		if bad++; bad >= maxBad {
			return errors.New("the host sends messages that cannot be read")
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// dispatch hands a message to who waits for it; it reports false for one that
// could not be read.
func (s *session) dispatch(raw []byte) bool {
	m, err := iso8583.Unpack(raw)
	if err != nil {
		s.link.count(0, 1)
		id, ok := iso8583.Identify(raw)
		if ok {
			s.deliver(key{id.Terminal, id.STAN, id.MTI.Request()}, result{err: fmt.Errorf("%w: %w", ErrBadAnswer, err)})
		}
		return false
	}
	if !s.deliver(keyOf(m), result{raw: raw, msg: m}) {
		s.link.count(1, 0)
		s.link.o.Log.WithFields(logFields(m)).Info("an answer came that nobody waits for any more")
	}
	return true
}

func (s *session) deliver(k key, r result) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	w := s.pending[k]
	if w == nil {
		return false
	}
	delete(s.pending, k)
	w.answer <- r // has room: a waiter gets one result
	return true
}

// keepAlive sends an echo whenever the host has been silent for EchoEvery, and
// returns when one stays unanswered or the connection ends.
func (s *session) keepAlive(ctx context.Context) error {
	for {
		s.mu.Lock()
		idle := time.Since(s.heard)
		s.mu.Unlock()
		t := time.NewTimer(max(s.link.o.EchoEvery-idle, 10*time.Millisecond))
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
		s.mu.Lock()
		silent := time.Since(s.heard) >= s.link.o.EchoEvery
		s.mu.Unlock()
		if !silent {
			continue
		}
		if err := s.echo(ctx); err != nil {
			return err
		}
	}
}

func (s *session) echo(ctx context.Context) error {
	r, err := s.link.o.Echo()
	if err != nil {
		return fmt.Errorf("making an echo: %w", err)
	}
	if _, err := s.exchange(ctx, r); err != nil {
		return fmt.Errorf("the host does not answer an echo: %w", firstCause(ctx, err))
	}
	return nil
}
