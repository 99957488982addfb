package adversary

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tallystick.example/iso8583"
	"tallystick.example/simulator/terminal"
)

// RaceOptions size a race. Zero values take the defaults.
type RaceOptions struct {
	Rounds  int    // sales; default 100
	Links   int    // connections over which each sale's messages go; 2 to 8, default 4
	Workers int    // sales at once; default 2
	PIN     string // of the card
	Seed    uint64 // of the order in which messages are sent
}

// An Attempt is a sale that was raced, and its one end.
type Attempt struct {
	Terminal string `json:"terminal"`
	ID       string `json:"attempt"` // hexadecimal
	Minor    int64  `json:"minor"`
	Want     string `json:"want"` // approved or reversed
}

// RaceReport tells what the answers were.
type RaceReport struct {
	Rounds     int            `json:"rounds"`
	Codes      map[string]int `json:"codes"` // DE 39 of all answers, by message type
	Attempts   []Attempt      `json:"attempts"`
	Violations []string       `json:"violations"` // at most 100
}

const maxViolations = 100

func (r *RaceReport) violate(format string, args ...any) {
	if len(r.Violations) < maxViolations {
		r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
	}
}

// Race sends original, two repeats and, in four of five rounds, the reversal and its
// repeat of each sale at once over several connections, in any order. The answers
// to a sale must agree: without reversal its requests are all approved; with one
// they are approved or refused with 68, and a reversal is always acknowledged. The
// error is that of a message which got no authentic answer.
func Race(ctx context.Context, t *terminal.Terminal, card *terminal.Card, o RaceOptions) (RaceReport, error) {
	if o.Rounds <= 0 {
		o.Rounds = 100
	}
	if o.Links < 2 || o.Links > 8 {
		o.Links = 4
	}
	if o.Workers <= 0 {
		o.Workers = 2
	}
	r := RaceReport{Rounds: o.Rounds, Codes: map[string]int{}}
	var mu sync.Mutex // guards r
	var wg sync.WaitGroup
	errs := make([]error, o.Workers)
	for w := range o.Workers {
		wg.Go(func() {
			errs[w] = worker(ctx, t, card, o, w, func(round int, a Attempt, sent []racer) {
				mu.Lock()
				defer mu.Unlock()
				r.judge(round, a, sent)
			})
		})
	}
	wg.Wait()
	return r, errors.Join(errs...)
}

// worker runs every o.Workers-th round over connections of its own.
func worker(ctx context.Context, t *terminal.Terminal, card *terminal.Card, o RaceOptions, first int, done func(int, Attempt, []racer)) error {
	links := make([]*terminal.Link, o.Links)
	for i := range links {
		k, err := t.Dial(ctx)
		if err != nil {
			return err
		}
		defer k.Close()
		links[i] = k
	}
	random := rand.New(rand.NewPCG(o.Seed, uint64(first)))
	for round := first; round < o.Rounds; round += o.Workers {
		course := courses[round/o.Workers%len(courses)]
		plan, err := t.Plan(terminal.Sale{Card: card, Minor: int64(100 + round%1000), PIN: o.PIN, Entry: raceEntry})
		if err != nil {
			return err
		}
		sent, err := racers(t, plan, course != payOnly)
		if err != nil {
			return err
		}
		if err := run(ctx, links, sent, course, random); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		id := plan.Attempt()
		a := Attempt{t.ID(), hex.EncodeToString(id[:]), plan.Payment.Amount.Minor, "approved"}
		if course != payOnly {
			a.Want = "reversed"
		}
		done(round, a, sent)
	}
	return nil
}

// A course is the order in which the messages of a sale leave.
type course int

const (
	payOnly       course = iota // no reversal, all at once
	together                    // all at once
	scattered                   // each after a wait of its own, up to spread
	paidFirst                   // the original is answered, then all others at once
	reversedFirst               // the reversal is answered, then all others at once
)

var courses = []course{payOnly, together, scattered, paidFirst, reversedFirst}

// spread is about how long a host takes for a sale.
const spread = 20 * time.Millisecond

// run sends the messages of one sale on its course, over links in any order.
func run(ctx context.Context, links []*terminal.Link, sent []racer, c course, random *rand.Rand) error {
	first := -1
	switch c {
	case paidFirst:
		first = 0
	case reversedFirst:
		first = requests
	}
	if first >= 0 {
		if err := start(ctx, links, sent[first:first+1]); err != nil {
			return err
		}
		sent[0], sent[first] = sent[first], sent[0]
		sent = sent[1:]
	}
	random.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
	if c == scattered {
		for i := range sent {
			sent[i].wait = time.Duration(random.Int64N(int64(spread)))
		}
	}
	return start(ctx, links, sent)
}

// raceEntry is a stripe with PIN: sales of one card that are under way at once
// need no order of their chip's transaction counters.
const raceEntry = "901"

// A racer is one message of a sale, sealed, and the answer it got.
type racer struct {
	request  *iso8583.Message
	send     func(context.Context, *terminal.Link) (*iso8583.Message, error)
	reversal bool
	wait     time.Duration // before it leaves
	code     string
}

// requests is how many of the messages of a sale are the original and its repeats;
// the reversals follow.
const requests = 3

// racers makes the messages of one sale, each under a counter of its own.
func racers(t *terminal.Terminal, plan terminal.Plan, reverse bool) ([]racer, error) {
	var out []racer
	add := func(build func(keys keys) (*iso8583.Message, error), reversal bool) error {
		k, err := t.NextKeys()
		if err != nil {
			return err
		}
		m, err := build(k)
		if err != nil {
			return err
		}
		packed, err := terminal.Seal(m, k)
		if err != nil {
			return err
		}
		out = append(out, racer{request: m, reversal: reversal, send: func(ctx context.Context, l *terminal.Link) (*iso8583.Message, error) {
			a, err := l.Exchange(ctx, m, packed, k)
			if err == nil && !a.Authentic {
				err = fmt.Errorf("%s was answered with %s, which does not count: %w", m.MTI(), a.ResponseCode(), a.Fault)
			}
			return a.Message, err
		}})
		return nil
	}
	for i := range requests {
		if err := add(func(k keys) (*iso8583.Message, error) { return repeated(i > 0)(t.Request(plan, k)) }, false); err != nil {
			return nil, err
		}
	}
	if !reverse {
		return out, nil
	}
	h := t.Header()
	for i := range 2 {
		if err := add(func(k keys) (*iso8583.Message, error) {
			return repeated(i > 0)(t.Reversal(out[0].request, h.STAN, h.At, k))
		}, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// repeated makes a repeat of a message.
func repeated(yes bool) func(*iso8583.Message, error) (*iso8583.Message, error) {
	return func(m *iso8583.Message, err error) (*iso8583.Message, error) {
		if err != nil || !yes {
			return m, err
		}
		return terminal.Repeat(m)
	}
}

// start sends all at once and waits for all answers.
func start(ctx context.Context, links []*terminal.Link, sent []racer) error {
	var ready, wg sync.WaitGroup
	begin := make(chan struct{})
	errs := make([]error, len(sent))
	for i := range sent {
		ready.Add(1)
		wg.Go(func() {
			ready.Done()
			<-begin
			time.Sleep(sent[i].wait)
			m, err := sent[i].send(ctx, links[i%len(links)])
			if errs[i] = err; err == nil {
				sent[i].code = m.ResponseCode()
			}
		})
	}
	ready.Wait()
	close(begin)
	wg.Wait()
	return errors.Join(errs...)
}

// judge holds the answers to one sale against each other.
func (r *RaceReport) judge(round int, a Attempt, sent []racer) {
	r.Attempts = append(r.Attempts, a)
	for _, s := range sent {
		r.Codes[s.request.MTI().String()+" "+s.code]++ // the request's type and the answer's code
		switch {
		case s.reversal && s.code != "00" && s.code != "21":
			r.violate("round %d: a reversal was answered with %s", round, s.code)
		case !s.reversal && s.code != "00" && (s.code != "68" || a.Want == "approved"):
			r.violate("round %d: a request of a sale that is to end %s was answered with %s", round, a.Want, s.code)
		}
	}
}

// answerWithin bounds one attack of a crowd.
const answerWithin = 2 * time.Minute
