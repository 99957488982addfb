package adversary

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tallystick.example/simulator/terminal"
)

// A Bench is where bad input is sent: a terminal that misbehaves and one that
// pays meanwhile, each with a card of its own.
type Bench struct {
	Bad, Good         *terminal.Terminal
	BadCard, GoodCard *terminal.Card
	BadPIN, GoodPIN   string
	BadCurrency       uint16 // of the bad card's account, ISO 4217 numeric; 0: 978
	// Patience is how long an end of the connection is waited for: longer than the
	// host's deadlines for frames and handshakes. Zero: 30 s.
	Patience time.Duration
}

// A Check is one attack and what came of it.
type Check struct {
	Name   string `json:"name"`
	Clause string `json:"clause"` // section of docs/terminal-interface.md
	Want   string `json:"want"`
	Got    string `json:"got"`
	OK     bool   `json:"ok"`
	Served int    `json:"served"` // sales of the good terminal meanwhile
}

// InputReport tells of all attacks.
type InputReport struct {
	Checks []Check `json:"checks"`
	Served int     `json:"served"` // sales of the good terminal
}

// Failed are the checks that the host did not pass.
func (r InputReport) Failed() []Check {
	var out []Check
	for _, c := range r.Checks {
		if !c.OK {
			out = append(out, c)
		}
	}
	return out
}

// Run sends all of [Inputs]. The error is that of the good terminal: a sale that
// was not approved while somebody else misbehaved, or of the bench itself.
func (b *Bench) Run(ctx context.Context) (InputReport, error) {
	if b.Patience == 0 {
		b.Patience = 30 * time.Second
	}
	beside, err := b.pay(ctx)
	if err != nil {
		return InputReport{}, err
	}
	var r InputReport
	for _, in := range Inputs() {
		from := beside.next(ctx) // at least one sale ends after the attack has begun
		got, err := b.one(ctx, in)
		if err != nil {
			got = "fault: " + err.Error()
		}
		to := beside.next(ctx)
		r.Checks = append(r.Checks, Check{in.Name, in.Clause, in.Want, got, err == nil && got == in.Want, to - from})
		if beside.failed() || ctx.Err() != nil {
			break
		}
	}
	r.Served, err = beside.stop()
	return r, errors.Join(err, ctx.Err())
}

// one sends one bad input over a connection of its own, and sees whether the
// connection lives as it should.
func (b *Bench) one(ctx context.Context, in Input) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	k, err := b.Bad.Dial(ctx)
	if err != nil {
		return "", err
	}
	defer k.Close()
	got, err := in.send(ctx, &attack{b, k})
	if err != nil || got == closed {
		return got, err
	}
	// The connection must live. A sale goes all the way through the host, so that
	// what it owed to the input is here when its answer is.
	if err := k.Echo(ctx); err != nil {
		return "the connection does not live: " + err.Error(), nil
	}
	if _, ans, err := k.Pay(ctx, b.sale(1)); err != nil || ans.ResponseCode() != "00" {
		return fmt.Sprintf("a good sale afterwards: %v, %v", ans, err), nil
	}
	if n := len(k.Stray()); n > 0 {
		return fmt.Sprintf("%s, and %d answers to nothing", got, n), nil
	}
	return got, nil
}

// sale is a good sale of the bad terminal's card.
func (b *Bench) sale(minor int64) terminal.Sale {
	return terminal.Sale{Card: b.BadCard, Minor: minor, PIN: b.BadPIN, Currency: b.BadCurrency}
}

// beside is the good terminal, which pays without pause.
type beside struct {
	cancel context.CancelFunc
	ended  chan struct{}
	mu     sync.Mutex
	more   *sync.Cond
	sales  int
	err    error
}

// pay lets the good terminal pay until it is stopped or not approved.
func (b *Bench) pay(ctx context.Context) (*beside, error) {
	k, err := b.Good.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("adversary: the good terminal: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &beside{cancel: cancel, ended: make(chan struct{})}
	s.more = sync.NewCond(&s.mu)
	go func() {
		defer close(s.ended)
		defer k.Close()
		for ctx.Err() == nil {
			_, ans, err := k.Pay(context.WithoutCancel(ctx), terminal.Sale{Card: b.GoodCard, Minor: 1, PIN: b.GoodPIN})
			if err == nil && ans.ResponseCode() != "00" {
				err = fmt.Errorf("adversary: a sale of the good terminal was answered with %s", ans.ResponseCode())
			}
			if !s.count(err) {
				return
			}
		}
	}()
	return s, nil
}

func (s *beside) count(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.more.Broadcast()
	if s.err = err; err == nil {
		s.sales++
	}
	return err == nil
}

// next waits for one more sale and returns how many there were.
func (s *beside) next(ctx context.Context) int {
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); defer s.mu.Unlock(); s.more.Broadcast() })
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := s.sales; s.sales == n && s.err == nil && ctx.Err() == nil; {
		s.more.Wait()
	}
	return s.sales
}

func (s *beside) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

func (s *beside) stop() (int, error) {
	s.cancel()
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sales, s.err
}
