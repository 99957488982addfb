package soft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

const (
	// handleLife is how long the secrets of an opened message stay inside. A host
	// answers within 15 s; what is older will never be.
	handleLife = 30 * time.Second
	// maxHandles bounds the open messages of one connection: more than the
	// payments of a busy node within handleLife, and below 100 MB.
	maxHandles = 1 << 15
)

// A Session is what one connection may do with an HSM, and the owner of the
// handles that it opened. It implements [api.HSM]; its methods may be called by
// many goroutines at once.
type Session struct {
	hsm *HSM

	mu     sync.Mutex
	closed bool
	open   map[api.Handle]*opened
	order  []api.Handle // oldest first; handles that are gone stay until their turn
}

var _ api.HSM = (*Session)(nil)

// opened is one message inside the boundary. Its lock is held by the call that
// uses it.
type opened struct {
	mu   sync.Mutex
	born time.Time
	gone bool

	authentic bool // the MAC was valid; otherwise only a refusal may be sealed
	mti       iso8583.MTI
	stan      string
	terminal  string
	entry     string // first two digits of DE 22
	ksn       []byte // of the MAC
	response  core.MACKey

	card    cardblob.Card
	hasCard bool
	lookup  [32]byte

	pinBlock []byte
	pinKey   core.PINKey
	pinDone  bool

	chip   cryptogram.Fields // nil without a cryptogram
	answer core.AnswerKey    // set when Verify found the cryptogram right
}

// wipe clears all secrets of a message. The caller holds its lock.
func (o *opened) wipe() {
	o.gone = true
	o.response.Wipe()
	o.card.Wipe()
	o.pinKey.Wipe()
	o.answer.Wipe()
	clear(o.pinBlock)
	o.pinBlock, o.chip, o.hasCard = nil, nil, false
}

// ready refuses calls on a closed session or with an ended context.
func (s *Session) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.hsm.closed.Load() {
		return fmt.Errorf("%w: the session is closed", api.ErrUnavailable)
	}
	return nil
}

// keep gives a message a handle: a random number, so that one of another
// connection, or of before a restart, fits nothing.
func (s *Session) keep(o *opened) (api.Handle, error) {
	o.born = s.hsm.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(o.born)
	if s.closed {
		return 0, fmt.Errorf("%w: the session is closed", api.ErrUnavailable)
	}
	if len(s.open) >= maxHandles {
		return 0, fmt.Errorf("%w: too many open messages", api.ErrUnavailable)
	}
	for {
		var b [8]byte
		if _, err := io.ReadFull(s.hsm.rand, b[:]); err != nil {
			return 0, fmt.Errorf("soft: drawing a handle: %w", err)
		}
		h := api.Handle(binary.BigEndian.Uint64(b[:]))
		if _, taken := s.open[h]; h != 0 && !taken {
			s.open[h] = o
			s.order = append(s.order, h)
			return h, nil
		}
	}
}

// use returns the message of a handle with its lock held; the caller unlocks.
func (s *Session) use(h api.Handle) (*opened, error) {
	s.mu.Lock()
	o, ok := s.open[h]
	s.mu.Unlock()
	if !ok {
		return nil, api.ErrHandle
	}
	o.mu.Lock()
	if o.gone || s.hsm.now().Sub(o.born) >= handleLife {
		o.mu.Unlock()
		return nil, api.ErrHandle
	}
	return o, nil
}

// drop takes a message out, nil when it is not there.
func (s *Session) drop(h api.Handle) *opened {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open[h]
	delete(s.open, h)
	return o
}

// expire wipes what is older than handleLife. The caller holds s.mu. A message
// in use is left for the next time.
func (s *Session) expire(now time.Time) {
	n := 0
	for _, h := range s.order {
		o, ok := s.open[h]
		if ok {
			if now.Sub(o.born) < handleLife || !o.mu.TryLock() {
				break
			}
			o.wipe()
			o.mu.Unlock()
			delete(s.open, h)
		}
		n++
	}
	s.order = s.order[n:]
}

// Expire wipes the messages that are older than 30 seconds. The server calls it
// once a second, so that an idle connection holds nothing.
func (s *Session) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(s.hsm.now())
}

// Close ends the session: all its handles are wiped. Calls that are running
// finish first with what they hold.
func (s *Session) Close() {
	s.mu.Lock()
	all := s.open
	s.closed, s.open, s.order = true, nil, nil
	s.mu.Unlock()
	for _, o := range all {
		o.mu.Lock()
		o.wipe()
		o.mu.Unlock()
	}
}

// Release forgets a handle that gets no answer.
func (s *Session) Release(ctx context.Context, h api.Handle) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if o := s.drop(h); o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.wipe()
	}
	return nil
}

// outward keeps of an error what the host may know: which of the contract's it
// is, and what was done. Everything else is one ErrUnavailable.
func outward(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, core.ErrUse):
		err = api.ErrKey
	case errors.Is(err, core.ErrInput):
		err = api.ErrInput
	}
	for _, known := range []error{api.ErrHandle, api.ErrKey, api.ErrInput, api.ErrPolicy} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", what, known)
		}
	}
	return fmt.Errorf("%s: %w", what, api.ErrUnavailable)
}

// wipeAll clears secrets that are no longer needed.
func wipeAll(secrets ...secret.Secret) {
	for _, s := range secrets {
		s.Wipe()
	}
}
