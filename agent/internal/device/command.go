package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallystick.example/internal/reader/ccid"
)

// command sends one CCID command and returns its answer. Errors are a
// *ccid.FailedError when the reader refuses it, ErrNoAnswer, ErrGarbled,
// ErrReaderDown or ErrClosed.
func (r *Reader) command(ctx context.Context, t ccid.Type, params [3]byte, data []byte) (ccid.Message, error) {
	r.busy.Lock()
	defer r.busy.Unlock()
	r.mu.Lock()
	port, events := r.port, r.events
	r.mu.Unlock()
	if port == nil {
		return ccid.Message{}, ErrReaderDown
	}
	r.seq++
	c := ccid.Command(t, r.seq, params, data)
	frame, err := ccid.AppendFrame(nil, c)
	if err != nil {
		return ccid.Message{}, err
	}
	defer clear(frame)
	forgetOld(events)
	x := &dialogue{port: port, events: events, command: c, frame: frame}
	answer, err := x.run(ctx)
	if err != nil {
		return answer, err
	}
	return answer, answer.Err()
}

// forgetOld drops what came while nobody waited.
func forgetOld(events <-chan ccid.Event) {
	for {
		select {
		case <-events:
		default:
			return
		}
	}
}

// A dialogue is one command until its answer.
type dialogue struct {
	port    *Port
	events  <-chan ccid.Event
	command ccid.Message
	frame   []byte
	sent    int // times the command was sent
	asked   int // times the answer was asked for again
}

// run sends the command and waits. A frame that the reader did not understand is
// sent again, an answer that came garbled is asked for again (never the command:
// the card would do it twice), three times each. Answers to other commands are
// dropped: they are late.
func (x *dialogue) run(ctx context.Context) (ccid.Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longestCommand, ErrNoAnswer)
	defer cancel()
	if err := x.send(ctx); err != nil {
		return ccid.Message{}, err
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ccid.Message{}, context.Cause(ctx)
		case <-x.port.gone:
			return ccid.Message{}, ErrClosed
		case <-timer.C:
			if err := x.askAgain(ctx, ErrNoAnswer); err != nil {
				return ccid.Message{}, err
			}
		case e := <-x.events:
			answer, ok, err := x.take(ctx, e)
			if ok || err != nil {
				return answer, err
			}
		}
		timer.Reset(answerTime)
	}
}

// take looks at one event; ok says that it is the answer.
func (x *dialogue) take(ctx context.Context, e ccid.Event) (answer ccid.Message, ok bool, err error) {
	switch e.Kind {
	case ccid.Frame:
		if !e.Message.Answers(x.command) {
			return ccid.Message{}, false, nil
		}
		return e.Message, e.Message.Outcome() != ccid.MoreTime, nil
	case ccid.Refused:
		return ccid.Message{}, false, x.send(ctx)
	case ccid.Broken:
		return ccid.Message{}, false, x.askAgain(ctx, ErrGarbled)
	default: // a request for more time: the timer starts again
		return ccid.Message{}, false, nil
	}
}

// send sends the command, at most 1 + resends times.
func (x *dialogue) send(ctx context.Context) error {
	if x.sent > resends {
		return ErrGarbled
	}
	x.sent++
	return x.write(ctx, x.frame)
}

// askAgain asks for the answer again, at most resends times; then it gives up
// with the reason.
func (x *dialogue) askAgain(ctx context.Context, reason error) error {
	if x.asked == resends {
		return reason
	}
	x.asked++
	return x.write(ctx, ccid.NAK())
}

func (x *dialogue) write(ctx context.Context, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	if err := x.port.Write(ctx, b); err != nil {
		return fmt.Errorf("sending to the card reader: %w", err)
	}
	return nil
}

// cardGone turns what a reader says about a pulled card into ErrCardRemoved.
func cardGone(err error) error {
	if f, ok := errors.AsType[*ccid.FailedError](err); ok && f.Card == ccid.CardAbsent {
		return fmt.Errorf("%w: %w", ErrCardRemoved, err)
	}
	return err
}
