package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/reader/ccid"
	"tallystick.example/internal/xlog"
)

// Errors of the reader.
var (
	// ErrReaderDown means that the reader is not connected or does not work now;
	// the driver keeps trying to reach it.
	ErrReaderDown = errors.New("the card reader is not connected")
	// ErrNoAnswer means that the reader did not answer a command in time.
	ErrNoAnswer = errors.New("the card reader does not answer")
	// ErrGarbled means that command or answer did not come through, three times.
	ErrGarbled = errors.New("the line to the card reader garbles what is sent")
	// ErrCardRemoved means that the card was pulled.
	ErrCardRemoved = errors.New("the card was removed")
)

const (
	// answerTime is how long a reader may take; a card that works on a command
	// asks for more in time.
	answerTime = 4 * time.Second
	// longestCommand bounds a command whose card asks for more time again and again.
	longestCommand = 60 * time.Second
	writeTime      = 2 * time.Second
	// resends bounds the repetitions of a frame that did not come through.
	resends = 3
)

// A Reader is the driver of a dumb card reader: CCID messages over a serial
// line, as the GemPC Twin speaks. Run owns the line; the other methods may be
// called from any goroutine, one command at a time.
type Reader struct {
	line Line
	log  logrus.FieldLogger

	busy sync.Mutex // one command at a time; guards seq
	seq  byte

	mu      sync.Mutex
	port    *Port
	events  chan ccid.Event // what the line brings while a command waits
	present bool
	name    string
	changed chan struct{} // closed and replaced whenever port or present changes
}

// NewReader makes the driver; nothing is opened before Run.
func NewReader(line Line, log logrus.FieldLogger) *Reader {
	return &Reader{line: line, log: log, changed: make(chan struct{})}
}

// Run opens the line, keeps it open and opens it again when it is lost, until
// ctx ends. It returns nil then.
func (r *Reader) Run(ctx context.Context) error {
	var again Reopener
	last := ""
	for {
		err := r.session(ctx, &again)
		if ctx.Err() != nil {
			return nil
		}
		if text := err.Error(); text != last { // an unplugged reader is one line in the log
			r.log.WithError(err).Warn("card reader lost, trying again")
			last = text
		}
		if again.Wait(ctx) != nil {
			return nil
		}
	}
}

// session is one life of the line: open, read, until it breaks.
func (r *Reader) session(ctx context.Context, again *Reopener) error {
	port, err := OpenPort(r.line)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	events := make(chan ccid.Event, 16)
	done := make(chan error, 1)
	go func() {
		defer xlog.Recover(r.log, "card reader", func() { done <- errors.New("the reader's goroutine died") })
		done <- r.read(ctx, port, events)
	}()
	r.attach(port, events)
	err = r.greet(ctx)
	if err == nil {
		again.Opened()
		r.log.WithField("reader", r.Name()).Info("card reader ready")
		err = <-done
	} else {
		cancel(err)
		<-done
	}
	r.detach()
	return errors.Join(err, port.Close())
}

// read takes everything from the line until it breaks.
func (r *Reader) read(ctx context.Context, port *Port, events chan<- ccid.Event) error {
	var d ccid.Decoder
	buf := make([]byte, 512)
	for {
		n, err := r.readSome(ctx, port, buf, &d)
		if err != nil {
			return err
		}
		for _, e := range d.Write(buf[:n]) {
			switch {
			case e.Kind == ccid.Inserted || e.Kind == ccid.Removed:
				r.setPresent(e.Kind == ccid.Inserted)
			case e.Kind == ccid.Frame && e.Message.Type.IsCommand():
				// The echo of what we sent.
			default:
				select {
				case events <- e:
				default: // nobody waits, or the line floods: it is not for us
				}
			}
		}
		clear(buf[:n])
	}
}

// frameGap is the longest pause within a frame; after it an unfinished frame is
// forgotten, so that the next one is read from its start.
const frameGap = 500 * time.Millisecond

func (r *Reader) readSome(ctx context.Context, port *Port, buf []byte, d *ccid.Decoder) (int, error) {
	if !d.Partial() {
		return port.Read(ctx, buf)
	}
	gap, cancel := context.WithTimeout(ctx, frameGap)
	defer cancel()
	n, err := port.Read(gap, buf)
	if err != nil && gap.Err() != nil && ctx.Err() == nil {
		d.Reset()
		return 0, nil
	}
	return n, err
}

func (r *Reader) attach(p *Port, events chan ccid.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.port, r.events = p, events
}

func (r *Reader) detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.port, r.events, r.present, r.name = nil, nil, false, ""
	r.announce()
}

// announce wakes everybody who waits for a change; mu is held.
func (r *Reader) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Reader) setPresent(present bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.present != present {
		r.present = present
		r.announce()
	}
}

// escape commands of the GemPC Twin.
var (
	firmware   = []byte{0x02}
	cardEvents = []byte{0x01, 0x01, 0x01} // tell us of cards at any time
)

// greet asks for the firmware, switches card events on and asks for the card.
func (r *Reader) greet(ctx context.Context) error {
	answer, err := r.command(ctx, ccid.Escape, [3]byte{}, firmware)
	if err != nil {
		return fmt.Errorf("asking the reader for its firmware: %w", err)
	}
	name := printable(answer.Data)
	if _, err := r.command(ctx, ccid.Escape, [3]byte{}, cardEvents); err != nil {
		return fmt.Errorf("switching card events on: %w", err)
	}
	status, err := r.command(ctx, ccid.GetSlotStatus, [3]byte{}, nil)
	if err != nil {
		if _, failed := errors.AsType[*ccid.FailedError](err); !failed {
			return fmt.Errorf("asking for the card: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.name = name
	r.present = err == nil && status.Card() != ccid.CardAbsent
	r.announce()
	return nil
}

// printable is a reader's text as far as a log may show it.
func printable(b []byte) string {
	out := make([]byte, 0, min(len(b), 64))
	for _, c := range b[:min(len(b), 64)] {
		if c >= 0x20 && c < 0x7F {
			out = append(out, c)
		}
	}
	return string(out)
}

// Name is the reader's firmware text, empty while it is not connected.
func (r *Reader) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.name
}

// Ready reports whether the reader is connected.
func (r *Reader) Ready() bool { return r.Name() != "" }

// WaitCard waits until a card is in the reader (or, with present false, until
// none is), or ctx ends. A reader that is lost meanwhile is waited for too.
func (r *Reader) WaitCard(ctx context.Context, present bool) error {
	for {
		r.mu.Lock()
		now, changed := r.present, r.changed
		up := r.name != ""
		r.mu.Unlock()
		if up && now == present || !up && !present {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// WaitReady waits until the reader is connected and returns its name, or
// nothing when ctx ends first.
func (r *Reader) WaitReady(ctx context.Context) string {
	for {
		r.mu.Lock()
		name, changed := r.name, r.changed
		r.mu.Unlock()
		if name != "" {
			return name
		}
		select {
		case <-ctx.Done():
			return ""
		case <-changed:
		}
	}
}
