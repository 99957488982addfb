package terminal

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/iso8583"
)

const (
	maxPending = 4096 // messages in flight on a link
	maxStray   = 64   // unexpected answers that a link keeps
	handshake  = 20 * time.Second
)

// ErrClosed means that the connection ended before the answer came.
var ErrClosed = errors.New("terminal: the connection has ended")

// An Answer is what came back for a message.
type Answer struct {
	*iso8583.Message
	// Authentic: its MAC is right, and it repeats what its request demands. One
	// that is not counts as no answer; its code is for a log.
	Authentic bool
	Fault     error // why it is not authentic
}

// A Link is one connection of a terminal. It reads by itself; all methods may be
// called at once from several goroutines.
type Link struct {
	*Terminal
	conn *tls.Conn
	gone chan struct{} // closed when the reader has ended

	write sync.Mutex
	mu    sync.Mutex
	wait  []*waiter
	stray []*iso8583.Message
	err   error
}

// A waiter is a message in flight. Answers are told apart by the KSN they
// repeat, since an original and its repeats have the same STAN.
type waiter struct {
	key    iso8583.MatchKey
	ksn    []byte
	answer chan *iso8583.Message // has room for one
}

// Dial connects. With TLS 1.3 a host that refuses the certificate says so at the
// first read, so only a later message shows it.
func (t *Terminal) Dial(ctx context.Context) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	c, err := (&tls.Dialer{Config: t.cfg.TLS}).DialContext(ctx, "tcp", t.cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("terminal: connecting: %w", err)
	}
	k := &Link{Terminal: t, conn: c.(*tls.Conn), gone: make(chan struct{})}
	go k.read()
	return k, nil
}

// Close ends the connection and waits for the reader.
func (k *Link) Close() error {
	err := k.conn.Close()
	<-k.gone
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Gone is closed when the connection has ended, whoever ended it.
func (k *Link) Gone() <-chan struct{} { return k.gone }

// Stray returns the answers that belonged to nothing in flight, at most 64.
func (k *Link) Stray() []*iso8583.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]*iso8583.Message{}, k.stray...)
}

func (k *Link) read() {
	defer close(k.gone)
	for {
		f, err := iso8583.ReadFrame(k.conn, nil, iso8583.Limits{})
		var m *iso8583.Message
		if err == nil {
			m, err = iso8583.Unpack(f.Body)
		}
		if err != nil {
			k.mu.Lock()
			k.err = err
			k.mu.Unlock()
			_ = k.conn.Close() // the error that counts is the one before
			return
		}
		k.deliver(m)
	}
}

// deliver gives an answer to the first message in flight that it may belong to.
func (k *Link) deliver(m *iso8583.Message) {
	var ksn []byte // a refusal without DE 63 has none
	if p, err := m.Private(); err == nil {
		ksn = p.MACKSN
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, w := range k.wait {
		if w.key == m.MatchKey() && (ksn == nil || bytes.Equal(ksn, w.ksn)) {
			k.wait = append(k.wait[:i], k.wait[i+1:]...)
			w.answer <- m
			return
		}
	}
	if len(k.stray) < maxStray {
		k.stray = append(k.stray, m)
	}
}

// Raw sends bytes as they are, without a frame around them.
func (k *Link) Raw(b []byte) error {
	k.write.Lock()
	defer k.write.Unlock()
	if err := k.conn.SetWriteDeadline(time.Now().Add(k.cfg.Answer)); err != nil {
		return fmt.Errorf("terminal: sending: %w", err)
	}
	if _, err := k.conn.Write(b); err != nil {
		return fmt.Errorf("terminal: sending: %w", err)
	}
	return nil
}

// Send sends a message in a frame and waits for nothing; its answer is a stray one.
func (k *Link) Send(body []byte) error {
	b, err := iso8583.AppendFrame(nil, iso8583.Frame{Body: body})
	if err != nil {
		return err
	}
	return k.Raw(b)
}

// Exchange sends packed, which may be changed on purpose, and waits for the
// answer to req, the message it was made from. keys tell whether the answer is
// authentic; without them it is not. The error is [ErrClosed], that of ctx, or a
// time-out: no answer came.
func (k *Link) Exchange(ctx context.Context, req *iso8583.Message, packed []byte, keys *dukpt.WorkingKeys) (Answer, error) {
	w := &waiter{key: req.MatchKey(), answer: make(chan *iso8583.Message, 1)}
	if p, err := req.Private(); err == nil {
		w.ksn = p.MACKSN
	}
	k.mu.Lock()
	if len(k.wait) >= maxPending {
		k.mu.Unlock()
		return Answer{}, errors.New("terminal: too many messages in flight")
	}
	k.wait = append(k.wait, w)
	k.mu.Unlock()
	defer k.forget(w)
	if err := k.Send(packed); err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, k.cfg.Answer, errNoAnswer)
	defer cancel()
	select {
	case m := <-w.answer:
		a := Answer{Message: m}
		a.Fault = authentic(req, m, keys)
		a.Authentic = a.Fault == nil
		return a, nil
	case <-k.gone:
		return Answer{}, k.ended()
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

var errNoAnswer = errors.New("terminal: no answer in time")

// ended is the error of a connection that has ended.
func (k *Link) ended() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrClosed, k.err)
}

func (k *Link) forget(w *waiter) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.wait {
		if k.wait[i] == w {
			k.wait = append(k.wait[:i], k.wait[i+1:]...)
			return
		}
	}
}

// authentic checks an answer as a terminal must before it counts.
func authentic(req, ans *iso8583.Message, keys *dukpt.WorkingKeys) error {
	if keys == nil {
		return errors.New("terminal: no keys to check the answer with")
	}
	input, code, err := iso8583.MACInput(ans.Raw())
	if err != nil {
		return err
	}
	if ok, err := keys.VerifyMAC(dukpt.Response, input, code); err != nil || !ok {
		return errors.Join(errors.New("terminal: the MAC of the answer is wrong"), err)
	}
	if err := iso8583.Matches(req, ans); err != nil {
		return err
	}
	return iso8583.Validate(ans, iso8583.ToTerminal)
}
