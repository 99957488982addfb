package kernel_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
)

// script builds a template with an identifier and commands.
func script(tag, id string, commands ...string) []byte {
	var body []byte
	if id != "" {
		body = objects("9F18", id)
	}
	for _, c := range commands {
		body = append(body, objects("86", c)...)
	}
	return objects(tag, fmt.Sprintf("%X", body))
}

// Scripts stop at the first answer that is no 9000, 62xx or 63xx; each has five
// bytes of results; 71 runs before and 72 after the second GENERATE AC (B3 10.10).
func TestTrap23Scripts71And72(t *testing.T) {
	const good, warns, fails = "8418000000", "8420000000", "8422000000"
	for name, c := range map[string]struct {
		data         []byte
		results, tvr string
		order        string // instructions after the first GENERATE AC
	}{
		"before":           {script("71", "00000001", good, warns), "2000000001", "00", "18 20 AE"},
		"after":            {script("72", "00000002", good), "2000000002", "00", "AE 18"},
		"without id":       {script("72", "", good), "2000000000", "00", "AE 18"},
		"second fails":     {script("71", "00000003", good, fails, good), "1200000003", "20", "18 22 AE"},
		"fails after":      {script("72", "00000004", fails), "1100000004", "10", "AE 22"},
		"short id":         {script("71", "0001", good), "0000000000", "20", "AE"},
		"short command":    {script("71", "00000005", good, "8418"), "0000000005", "20", "AE"},
		"nothing to do":    {script("71", "00000006"), "2000000006", "00", "AE"},
		"two, first fails": {append(script("71", "00000007", fails), script("71", "00000008", good)...), "11000000072000000008", "20", "22 18 AE"},
		"both kinds":       {append(script("72", "00000009", good), script("71", "0000000A", warns)...), "200000000A2000000009", "00", "20 AE 18"},
	} {
		card := newCard()
		card.answers[0x20], card.answers[0x22] = "6300", "6A80"
		s, _ := online(t, card, kernel.Callbacks{})
		before := len(card.commands)
		o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: c.data})
		var order []string
		for _, x := range card.commands[before:] {
			order = append(order, x[2:4])
		}
		if got := fmt.Sprintf("%X", o.ScriptResults); got != c.results || fmt.Sprintf("%02X", o.TVR[4]) != c.tvr ||
			strings.Join(order, " ") != c.order || !emv.TSIScript.In(o.TSI[:]) {
			t.Errorf("%s: results %s, TVR %X, TSI %X, order %v", name, got, o.TVR, o.TSI, order)
		}
		if o.Result != kernel.Approved || tagOf(t, o.DE55, 0x9F5B) != c.results {
			t.Errorf("%s: %v with %X", name, o.Result, o.DE55)
		}
	}
}

// The 16th command that fails is told as F, and what the issuer sends is bounded.
func TestScriptLimits(t *testing.T) {
	card := newCard()
	card.answers[0x22] = "6A80"
	many := strings.Split(strings.TrimSpace(strings.Repeat("8418000000 ", 16)), " ")
	s, _ := online(t, card, kernel.Callbacks{})
	o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: script("71", "00000001", append(many, "8422000000")...)})
	if fmt.Sprintf("%X", o.ScriptResults) != "1F00000001" {
		t.Errorf("results %X", o.ScriptResults)
	}
	for name, data := range map[string][]byte{
		"too many commands": script("71", "00000001", strings.Split(strings.TrimSpace(strings.Repeat("8418000000 ", 33)), " ")...),
		"too many scripts":  bytes.Repeat(script("71", "", "8418000000"), 40),
		"too many bytes":    make([]byte, 2000),
		"malformed":         unhex("71FF"),
	} {
		card := newCard()
		s, _ := online(t, card, kernel.Callbacks{})
		o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: data})
		if o.Result != kernel.Approved || len(card.sent("18")) > 16 {
			t.Errorf("%s: %v, %d commands", name, o.Result, len(card.sent("18")))
		}
	}
}

// A card pulled during the scripts after its TC has approved all the same.
func TestCardRemovedAfterTC(t *testing.T) {
	card := newCard()
	card.lost = 0x18
	s, _ := online(t, card, kernel.Callbacks{})
	o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: script("72", "00000001", "8418000000")})
	if o.Result != kernel.Approved || o.Reversal || fmt.Sprintf("%X", o.ScriptResults) != "1100000001" {
		t.Errorf("%+v", o)
	}
}

// A card that asks for the TC hash gets it over its TDOL or the default one; the
// default sets B5b8 before the hash is made (B3 10.8.2).
func TestTCHash(t *testing.T) {
	tdol := "9505 9A03"
	run1 := func(change func(*testCard, *kernel.Application)) (*testCard, *kernel.Request) {
		card, cfg := newCard(), testConfig()
		card.records["8C"] = "9814 9505"
		change(card, &cfg.Applications[0])
		_, r, err := run(t, card, cfg, kernel.Callbacks{}, testTransaction())
		if err != nil {
			t.Fatal(err)
		}
		return card, r
	}
	hash := func(tvr string) string {
		sum := sha1.Sum(unhex(tvr + "261125"))
		return fmt.Sprintf("%X%s", sum, tvr)
	}
	for name, c := range map[string]struct {
		change func(*testCard, *kernel.Application)
		want   string
	}{
		"own":     {func(c *testCard, _ *kernel.Application) { c.records["97"] = tdol }, hash("8000008000")},
		"default": {func(_ *testCard, a *kernel.Application) { a.DefaultTDOL = unhex(tdol) }, hash("8000008080")},
		"none":    {func(*testCard, *kernel.Application) {}, strings.Repeat("00", 20) + "8000008000"},
		"off": {func(c *testCard, a *kernel.Application) { c.records["97"], a.WithoutTDOL = tdol, true },
			strings.Repeat("00", 20) + "8000008000"},
	} {
		card, _ := run1(c.change)
		if got := card.sent("AE")[0]; got != "80AE800019"+c.want+"00" {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Misuse is a mistake of the program.
func TestCallsOutOfOrderPanic(t *testing.T) {
	s, _ := online(t, newCard(), kernel.Callbacks{})
	mustPanic := func(name string, f func()) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s did not panic", name)
			}
		}()
		f()
	}
	mustPanic("First twice", func() { _, _ = s.First(context.Background(), testTransaction()) })
	s.Second(context.Background(), kernel.Answer{})
	mustPanic("Second twice", func() { s.Second(context.Background(), kernel.Answer{}) })
}

// Close wipes the PAN that was given away.
func TestCloseWipes(t *testing.T) {
	s, r := online(t, newCard(), kernel.Callbacks{})
	s.Close()
	s.Close()
	if !r.Card.PAN.IsZero() || !r.Card.Track2.IsZero() {
		t.Error("the PAN is still there")
	}
}
