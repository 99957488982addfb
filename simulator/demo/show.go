package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"tallystick.example/emv"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/lab"
)

// show prints one payment step by step from the traces of the programs.
func (d *demo) show(ctx context.Context, o outcome) error {
	if d.quiet {
		return nil
	}
	for _, step := range []func() error{d.showReader, d.showCard, d.showMessages} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := d.showDecision(ctx, o); err != nil {
		return err
	}
	last, err := d.lastCard()
	if err != nil {
		return err
	}
	d.say("\n-- the card's last word: issuer's answer accepted %v, final cryptogram %s", last.ARPCVerified, last.Final)
	d.say("\n-- receipt\n%s", indent(o.Customer))
	return nil
}

// brief prints the messages and the decision of a payment in a few lines.
func (d *demo) brief(ctx context.Context, o outcome) error {
	msgs, err := d.wire()
	if err != nil {
		return err
	}
	for _, m := range msgs {
		if m.MTI().Class() == iso8583.ClassNetwork {
			continue
		}
		line := fmt.Sprintf("   %s  STAN %s", m.MTI(), m.STAN())
		if m.MTI().IsAnswer() {
			rc, _ := iso8583.ResponseCodeOf(m.ResponseCode()) // an unknown code has no meaning to show
			line += fmt.Sprintf("  DE 39 = %s %s", m.ResponseCode(), rc.Meaning)
		}
		d.say("%s", line)
	}
	return d.showDecision(ctx, o)
}

func (d *demo) showReader() error {
	lines, err := d.fresh("reader.jsonl")
	if err != nil {
		return err
	}
	d.say("\n-- reader frames (CCID over serial, %d in all; the first exchanges)", len(lines))
	for i, line := range lines {
		var f struct {
			From, Type, Params, Data string
			Seq                      int
		}
		if json.Unmarshal(line, &f) != nil || f.Type == "" {
			continue
		}
		if i > 15 {
			break
		}
		arrow := "→"
		if f.From == "reader" {
			arrow = "←"
		}
		d.say("   %s %s seq %02X  %s %s", arrow, f.Type, f.Seq, f.Params, clip(f.Data))
	}
	return nil
}

func (d *demo) showCard() error {
	lines, err := d.fresh("agent", "apdu.jsonl")
	if err != nil {
		return err
	}
	d.say("\n-- card (APDUs with decoded tags; card data masked)")
	for _, line := range lines {
		var a struct{ Command, Response string }
		if err := json.Unmarshal(line, &a); err != nil {
			return err
		}
		d.say("   → %s", a.Command)
		d.say("   ← %s", a.Response)
		d.tags(a.Response)
	}
	steps, err := d.fresh("agent", "kernel.jsonl")
	if err != nil {
		return err
	}
	d.say("\n-- what the kernel decided")
	for _, line := range steps {
		var k struct{ Step, Clause, Decision, Reason string }
		if err := json.Unmarshal(line, &k); err != nil {
			return err
		}
		d.say("   %-30s %-9s %s (%s)", k.Step, k.Clause, k.Decision, k.Reason)
	}
	return nil
}

// tags decodes a response that holds data objects; masked ones stay as they are.
func (d *demo) tags(response string) {
	text, _, _ := strings.Cut(response, " ")
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		return // masked, or status bytes alone
	}
	lines, err := emv.DescribeAll(b)
	if err != nil {
		return
	}
	for _, l := range lines {
		d.say("        %s%s", strings.Repeat("  ", l.Level), l)
	}
}

func (d *demo) showMessages() error {
	msgs, err := d.wire()
	if err != nil {
		return err
	}
	for _, m := range msgs {
		if m.MTI().Class() == iso8583.ClassNetwork {
			d.say("\n-- %s (sign-on or echo)", m.MTI())
			continue
		}
		direction := "to the host"
		if m.MTI().IsAnswer() {
			direction = "to the terminal"
		}
		d.say("\n-- %s %s, field by field", m.MTI(), direction)
		for _, l := range iso8583.Describe(m) {
			d.say("   %s", element(l))
		}
		if p, err := m.Private(); err == nil && len(p.PINKSN) > 0 {
			d.say("   the PIN travels as a PIN block under KSN %X; neither PIN nor key is shown", p.PINKSN)
		}
	}
	return nil
}

// element is a line of a message; chip data get the names of EMV.
func element(l iso8583.Line) string {
	if l.DE == 55 && l.Tag != "" {
		if tag, err := emv.ParseTag(l.Tag); err == nil {
			if e, ok := emv.Lookup(tag); ok {
				l.Name = e.Name
			}
		}
	}
	return l.String()
}

func (d *demo) showDecision(ctx context.Context, o outcome) error {
	t, err := d.transaction(ctx, o.Attempt)
	if err != nil || t == nil {
		return err
	}
	d.say("\n-- what the host decided (host tx)")
	d.say("   boundary   MAC %s, PIN %s, ARQC %s, ARPC %s", t.MAC, t.PIN, t.ARQC, t.ARPC)
	d.say("   score      %d %v, %s", t.Score, t.Reasons, t.Rules)
	d.say("   outcome    %s, DE 39 = %s, filed as %s %s", t.State, t.RC, t.Filed, t.Why)
	return d.showPostings(ctx, o.Attempt)
}

func (d *demo) showPostings(ctx context.Context, attempt string) error {
	out, err := d.lab.Run(ctx, lab.Host, "ledger", "export")
	if err != nil {
		return err
	}
	for line := range bytes.Lines(out) {
		var e struct {
			Kind, Template, Account, Attempt string
			Minor                            int64
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.Kind == "entry" && e.Attempt == attempt {
			d.say("   ledger     %-14s %-36s %+d", e.Template, e.Account, e.Minor)
		}
	}
	return nil
}

func indent(text string) string {
	return "   | " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n   | ")
}

func clip(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
