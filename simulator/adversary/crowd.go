package adversary

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"tallystick.example/dukpt"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/terminal"
)

type keys = *dukpt.WorkingKeys

// CrowdReport tells what a crowd of terminals was answered.
type CrowdReport struct {
	Terminals  int            `json:"terminals"`
	Codes      map[string]int `json:"codes"`
	Violations []string       `json:"violations"`
}

// Crowd lets all terminals ask for the same amount from one card at once, where
// the account holds the money for one of them: exactly one is approved, and the
// others find no money (51). A chip whose transaction counter comes late is refused
// too (05), and so is a PIN while as many as there are tries are being verified
// (75), since a try is taken before.
func Crowd(ctx context.Context, terminals []*terminal.Terminal, s terminal.Sale) (CrowdReport, error) {
	r, err := crowd(ctx, terminals, s)
	if n := r.Codes["00"]; n != 1 {
		r.Violations = append(r.Violations, fmt.Sprintf("%d sales were approved, the money was for 1", n))
	}
	for code, n := range r.Codes {
		chip := s.Entry == "" || strings.HasPrefix(s.Entry, "05")
		switch {
		case code == "00", code == "51", code == "05" && chip, code == "75" && s.PIN != "":
		default:
			r.Violations = append(r.Violations, fmt.Sprintf("%d sales were answered with %s", n, code))
		}
	}
	return r, err
}

// WrongPINs lets all terminals try a wrong PIN at once: exactly as many as there
// are tries are told so (55), the others that no try is left (75).
func WrongPINs(ctx context.Context, terminals []*terminal.Terminal, s terminal.Sale, tries int) (CrowdReport, error) {
	r, err := crowd(ctx, terminals, s)
	if n := r.Codes["55"]; n != tries {
		r.Violations = append(r.Violations, fmt.Sprintf("%d wrong PINs were tried, %d were allowed", n, tries))
	}
	if n := r.Codes["75"]; n != len(terminals)-tries {
		r.Violations = append(r.Violations, fmt.Sprintf("%d terminals were told that no try is left, want %d", n, len(terminals)-tries))
	}
	return r, err
}

// crowd connects all terminals and then sends one sale from each at once.
func crowd(ctx context.Context, terminals []*terminal.Terminal, s terminal.Sale) (CrowdReport, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r := CrowdReport{Terminals: len(terminals), Codes: map[string]int{}}
	begin := make(chan struct{})
	var mu sync.Mutex // guards r.Codes
	var ready, wg sync.WaitGroup
	errs := make([]error, len(terminals))
	for i, t := range terminals {
		ready.Add(1)
		wg.Go(func() {
			k, err := t.Dial(ctx)
			ready.Done()
			if err != nil {
				errs[i] = err
				return
			}
			defer k.Close()
			<-begin
			_, ans, err := k.Pay(ctx, s)
			if errs[i] = err; err == nil {
				mu.Lock()
				defer mu.Unlock()
				r.Codes[ans.ResponseCode()]++
			}
		})
	}
	ready.Wait()
	close(begin)
	wg.Wait()
	return r, errors.Join(errs...)
}

// Replay pays at terminal a, and then has terminal b present the same cryptogram
// as its own sale: DE 39 of both answers. The second is 05.
func Replay(ctx context.Context, a, b *terminal.Terminal, s terminal.Sale) (first, second string, err error) {
	plan, err := a.Plan(s)
	if err != nil {
		return "", "", err
	}
	stolen, err := b.Plan(s)
	if err != nil {
		return "", "", err
	}
	stolen.Payment.Chip = plan.Payment.Chip
	for _, x := range []struct {
		t    *terminal.Terminal
		plan terminal.Plan
		code *string
	}{{a, plan, &first}, {b, stolen, &second}} {
		ans, err := once(ctx, x.t, x.plan)
		if err != nil {
			return first, second, err
		}
		*x.code = ans.ResponseCode()
	}
	return first, second, nil
}

// once sends a plan over a connection of its own.
func once(ctx context.Context, t *terminal.Terminal, p terminal.Plan) (*iso8583.Message, error) {
	k, err := t.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	_, ans, err := k.Transmit(ctx, p, false)
	return ans, err
}
