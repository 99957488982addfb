package terminal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/internal/xlog"
)

// loop gives the Core what happens, one event after the other, and carries out
// what it wants, until ctx ends and the payment under way has its outcome, or a
// write has failed.
func (t *Terminal) loop(ctx context.Context) error {
	defer t.hangup()
	err := t.carryOut(t.first)
	gone, ending := ctx.Done(), false
	for err == nil && !(ending && !t.serving()) {
		select {
		case e := <-t.events:
			err = t.handle(e)
		case <-t.timer.C:
			err = t.handle(core.Tick{})
		case <-gone:
			gone, ending = nil, true
			err = t.handle(core.Ending{})
		}
	}
	if err != nil {
		t.mu.Lock()
		t.failed = err
		t.mu.Unlock()
		t.o.Log.WithError(err).Error("a write may or may not be durable: the agent ends and must be started again")
	}
	return err
}

// serving reports whether the Core has a payment under way.
func (t *Terminal) serving() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.core.Busy()
}

// post hands an event to the loop; after its end it goes nowhere.
func (t *Terminal) post(e core.Event) {
	select {
	case t.events <- e:
	case <-t.done:
	}
}

// step is one step of the Core.
func (t *Terminal) step(e core.Event) []core.Action {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.core.Step(t.o.Now(), e)
}

func (t *Terminal) handle(e core.Event) error { return t.carryOut(t.step(e)) }

// carryOut does actions in order, and after each list gives back to the Core what
// its actions have brought. The error is one after which nothing may be done.
func (t *Terminal) carryOut(actions []core.Action) error {
	var brought []core.Event
	for {
		for _, a := range actions {
			e, err := t.do(a)
			if err != nil {
				return err
			}
			if e != nil {
				brought = append(brought, e)
			}
		}
		if len(brought) == 0 {
			return nil
		}
		actions, brought = t.step(brought[0]), brought[1:]
	}
}

// do carries out one action.
func (t *Terminal) do(a core.Action) (core.Event, error) {
	if e, mine, err := t.books.Do(a); mine {
		t.warnOfKeys(e)
		return e, err
	}
	switch a := a.(type) {
	case core.ReadCard:
		t.withCall(func(c *call) { c.card.read(a.Sale) })
	case core.ReleaseKey:
		t.withCall(func(c *call) { c.card.keys <- a })
	case core.StopCard:
		t.withCall(func(c *call) { c.card.stop() })
	case core.CompleteCard:
		t.withCall(func(c *call) { c.card.complete(a.Answer) })
	case core.Dial:
		t.dial(a.Conn)
	case core.Hangup:
		t.hangupOne(a.Conn)
	case core.Send:
		if c := t.connection(a.Conn); c != nil {
			c.Send(a.Body)
		}
	case core.Show:
		t.withCall(func(c *call) { c.show(a.Step) })
	case core.Told:
		t.withCall(func(c *call) { c.told <- a })
	case core.Arm:
		t.arm(a.At)
	case core.Note:
		t.note(a)
	default:
		panic(fmt.Sprintf("terminal: the Core wants %T", a))
	}
	return nil, nil
}

// withCall runs f for the payment that is served.
func (t *Terminal) withCall(f func(*call)) {
	t.mu.Lock()
	c := t.current
	t.mu.Unlock()
	if c != nil {
		f(c)
	}
}

func (t *Terminal) arm(at time.Time) {
	if at.IsZero() {
		t.timer.Stop()
		return
	}
	t.timer.Reset(max(at.Sub(t.o.Now()), 0))
}

func (t *Terminal) note(n core.Note) {
	log := t.o.Log.WithFields(n.Fields)
	switch n.Level {
	case core.Warning:
		log.Warn(n.Text)
	case core.Failure:
		log.Error(n.Text)
	default:
		log.Info(n.Text)
	}
}

// lowOnKeys is when the log begins to warn that a new initial key is needed.
const lowOnKeys = 10_000

func (t *Terminal) warnOfKeys(e core.Event) {
	k, taken := e.(core.KeyTaken)
	if !taken {
		return
	}
	if left := k.Keys.KSN().Remaining(); left < lowOnKeys && left%1000 == 0 {
		t.o.Log.WithField("left", left).Warn("the DUKPT key is nearly used up: load a new one")
	}
}

// A line is a connection that is being made or stands.
type line struct {
	stop context.CancelFunc // of dialling
	conn *hostlink.Conn     // nil while it is being made
}

// errHungUp is why a connection ends that we close.
var errHungUp = errors.New("the terminal has hung up")

// dial makes a connection in the background and tells of it, and of its end.
func (t *Terminal) dial(number uint64) {
	ctx, stop := context.WithCancel(context.Background())
	t.mu.Lock()
	t.lines[number] = &line{stop: stop}
	t.mu.Unlock()
	t.dialling.Add(1)
	go func() {
		defer t.dialling.Done()
		defer stop()
		defer xlog.Recover(t.o.Log, "host link", func() { t.post(core.Disconnected{Conn: number, Why: "the host link died"}) })
		err := t.serveLine(ctx, number)
		t.mu.Lock()
		delete(t.lines, number)
		t.mu.Unlock()
		t.post(core.Disconnected{Conn: number, Why: err.Error()})
	}()
}

// serveLine is the life of one connection; its error says why it ended.
func (t *Terminal) serveLine(ctx context.Context, number uint64) error {
	raw, err := t.o.Dial.Dial(ctx)
	if err != nil {
		return err
	}
	c := hostlink.Open(raw, t.o.Dial, func(body []byte) { t.post(core.FrameCame{Conn: number, Body: body}) })
	t.mu.Lock()
	l := t.lines[number]
	l.conn = c
	t.mu.Unlock()
	if ctx.Err() != nil {
		c.Close(errHungUp) // while it was being made
	}
	t.post(core.Connected{Conn: number})
	return c.Wait()
}

// connection is a connection that stands, or nil.
func (t *Terminal) connection(number uint64) *hostlink.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.lines[number]; l != nil {
		return l.conn
	}
	return nil
}

func (t *Terminal) hangupOne(number uint64) {
	t.mu.Lock()
	l := t.lines[number]
	var c *hostlink.Conn
	if l != nil {
		c = l.conn
	}
	t.mu.Unlock()
	if l != nil {
		l.stop()
	}
	if c != nil {
		c.Close(errHungUp)
	}
}

// hangup closes every connection and waits for their goroutines.
func (t *Terminal) hangup() {
	close(t.done) // nobody waits for the loop any more
	t.mu.Lock()
	t.over = true
	var numbers []uint64
	for n := range t.lines {
		numbers = append(numbers, n)
	}
	t.mu.Unlock()
	for _, n := range numbers {
		t.hangupOne(n)
	}
	t.dialling.Wait()
}
