package demo

import (
	"fmt"
	"strconv"
	"strings"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/card"
	"tallystick.example/simulator/lab"
)

// ruleAmount is declined by the rule that the demo adds.
const ruleAmount = "600.00"

// demoRules are added to the host's sample rules: a limit, and a small weight on
// amounts, so that a score shows a reason.
const demoRules = `
  # Added by the demo.
  - name: demo-limit
    when: amount == 60_000
    action: decline
    weight: 950
    reason: L01
  - name: over-ten
    when: amount > 1_000
    weight: 35
    reason: A10
`

// options of the lab for this run.
func (d *demo) options() (lab.Options, error) {
	minor, err := minorUnits(d.o.amount)
	if err != nil {
		return lab.Options{}, cli.Fail(cli.ExitUsage, fmt.Sprintf("--amount is %q", d.o.amount), "write an amount such as 12.34", err)
	}
	o := lab.Options{
		Bin: d.o.bin, Dir: d.o.dir, Scheme: d.o.dukpt, CardFile: d.o.card, PIN: d.o.pin,
		Balance: max(100_000, 3*minor), AnswerWithin: answerWithin, Rules: demoRules,
		RawWire: d.o.evidence != "",
	}
	if b := breaks[d.o.broken]; b.prepare != nil {
		p, err := card.Load(d.o.card)
		if err != nil {
			return o, cli.Fail(cli.ExitUsage, "the card cannot be used", "see simulator card list", err)
		}
		b.prepare(&o, p)
	}
	return o, nil
}

// minorUnits reads an amount with two decimal places.
func minorUnits(text string) (int64, error) {
	whole, cents, _ := strings.Cut(text, ".")
	if len(cents) > 2 {
		return 0, fmt.Errorf("more than two decimal places")
	}
	return strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
}

func (d *demo) typedPIN() string {
	if d.o.pin != "" {
		return d.o.pin
	}
	return d.lab.Profile().PIN
}

// otherPIN is a PIN of the same length that differs in its first digit: a PIN
// verification value covers the first four alone.
func otherPIN(pin string) string {
	first := (pin[0]-'0'+1)%10 + '0'
	return string(first) + pin[1:]
}
