package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv/kernel"
)

// A nameCard has applications by DF name in the order of its memory; SELECT with
// a partial name finds the first, SELECT NEXT those after it (B1 12.3.1).
type nameCard struct {
	names   []string
	blocked map[string]bool
	fci     map[string]string // further objects in A5
	at      int
	sent    []string
	deaf    bool // ignores P2 and always answers with the first
}

func (c *nameCard) Transmit(_ context.Context, capdu []byte) ([]byte, error) {
	c.sent = append(c.sent, fmt.Sprintf("%X", capdu))
	if capdu[1] != 0xA4 {
		return unhex("6D00"), nil
	}
	want := fmt.Sprintf("%X", capdu[5:len(capdu)-1])
	from := 0
	if capdu[3] == 0x02 && !c.deaf {
		from = c.at + 1
	}
	for i := from; i < len(c.names); i++ {
		if strings.HasPrefix(c.names[i], want) {
			c.at = i
			body := objects("84", c.names[i], "A5", c.fci[c.names[i]])
			answer := ok(objects("6F", fmt.Sprintf("%X", body)))
			if c.blocked[c.names[i]] {
				answer[len(answer)-2], answer[len(answer)-1] = 0x62, 0x83
			}
			return answer, nil
		}
	}
	return unhex("6A82"), nil
}

func names(list []kernel.Candidate) string {
	var out []string
	for _, c := range list {
		out = append(out, fmt.Sprintf("%X", c.AID))
	}
	return strings.Join(out, " ")
}

func app(aid string, partial bool) kernel.Application {
	return kernel.Application{AID: unhex(aid), Partial: partial}
}

// Partial names are followed with SELECT NEXT; a blocked one is left out, and a
// terminal that takes no partial names finds the exact one behind them.
func TestPartialNames(t *testing.T) {
	const a, b, c = "A00000000310100101", "A00000000310100102", "A0000000031010"
	for name, k := range map[string]struct {
		card    *nameCard
		partial bool
		want    string
	}{
		"two longer names":  {&nameCard{names: []string{a, b}}, true, a + " " + b},
		"one is blocked":    {&nameCard{names: []string{a, b}, blocked: map[string]bool{a: true}}, true, b},
		"exact only":        {&nameCard{names: []string{a, c}}, false, c},
		"exact ends search": {&nameCard{names: []string{c, a}}, true, c},
		"none fits":         {&nameCard{names: []string{a, b}}, false, ""},
		"card ignores P2":   {&nameCard{names: []string{a, b}, deaf: true}, true, a},
	} {
		list, err := kernel.BuildCandidates(context.Background(), k.card, []kernel.Application{app(c, k.partial)}, true)
		if got := names(list); got != k.want || (err == nil) != (k.want != "") {
			t.Errorf("%s: %q, %v, sent %v", name, got, err, k.card.sent)
		}
	}
}

// A card with new names for ever ends the search.
func TestEndlessNames(t *testing.T) {
	n := 0
	card := cardFunc(func(context.Context, []byte) ([]byte, error) {
		n++
		return ok(objects("6F", fmt.Sprintf("%X", objects("84", fmt.Sprintf("A0000000031010%04X", n), "A5", "")))), nil
	})
	list, err := kernel.BuildCandidates(context.Background(), card, []kernel.Application{app(testAID, true)}, true)
	if err != nil || len(list) > 16 || n > 16 {
		t.Errorf("%d candidates after %d commands, %v", len(list), n, err)
	}
	n = 0
	endless := cardFunc(func(_ context.Context, c []byte) ([]byte, error) {
		n++
		if c[1] == 0xA4 {
			return ok(objects("6F", fmt.Sprintf("%X", objects("84", "315041592E5359532E4444463031", "A5", "880101")))), nil
		}
		return ok(objects("70", fmt.Sprintf("%X", objects("61", fmt.Sprintf("%X", objects("4F", fmt.Sprintf("A0000000031010%04X", n))))))), nil
	})
	if list, err = kernel.BuildCandidates(context.Background(), endless, []kernel.Application{app(testAID, true)}, false); err != nil || n > 40 || len(list) > 64 {
		t.Errorf("%d candidates after %d commands, %v", len(list), n, err)
	}
}

// Priority 1 comes first, no priority last, equals stay in the order found (B1 12.4).
func TestOrderOfCandidates(t *testing.T) {
	const a, b, c, d = "A000000001", "A000000002", "A000000003", "A000000004"
	card := &nameCard{names: []string{a, b, c, d}, fci: map[string]string{a: "", b: "87010F", c: "870101", d: "870101"}}
	apps := []kernel.Application{app(a, true), app(b, true), app(c, true), app(d, true)}
	list, err := kernel.BuildCandidates(context.Background(), card, apps, true)
	if got := names(list); err != nil || got != strings.Join([]string{c, d, b, a}, " ") {
		t.Errorf("%s, %v", got, err)
	}
}

// An application that asks for confirmation is never selected without it.
func TestConfirmation(t *testing.T) {
	const a, b = "A0000000031010", "A0000000041010"
	card := &nameCard{names: []string{a, b}, fci: map[string]string{a: "870181", b: "870102"}}
	cfg := testConfig()
	cfg.WithoutPSE = true
	second := cfg.Applications[0]
	second.AID = unhex(b)
	cfg.Applications = append(cfg.Applications, second)
	last := func(c *nameCard) string { return c.sent[len(c.sent)-1] }

	if _, err := kernel.Select(context.Background(), card, cfg, kernel.Callbacks{}); err != nil || !strings.Contains(last(card), b) {
		t.Errorf("%v, selected %s", err, last(card))
	}
	only := &nameCard{names: []string{a}, fci: map[string]string{a: "870181"}}
	_, err := kernel.Select(context.Background(), only, cfg, kernel.Callbacks{})
	wantReason(t, err, kernel.NoApplication, false)

	asked := 0
	choose := func(_ context.Context, list []kernel.Candidate) (int, error) {
		asked++
		if !list[0].Confirmation || list[0].Priority != 1 {
			t.Errorf("offered %+v", list)
		}
		return 0, nil
	}
	if _, err := kernel.Select(context.Background(), only, cfg, kernel.Callbacks{Choose: choose}); err != nil || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	refuse := func(context.Context, []kernel.Candidate) (int, error) { return 0, errors.New("cancelled") }
	_, err = kernel.Select(context.Background(), card, cfg, kernel.Callbacks{Choose: refuse})
	wantReason(t, err, kernel.Stopped, false)
	outside := func(context.Context, []kernel.Candidate) (int, error) { return 2, nil }
	_, err = kernel.Select(context.Background(), card, cfg, kernel.Callbacks{Choose: outside})
	wantReason(t, err, kernel.Stopped, false)
}

// Names of a card cannot move the cursor of a screen or printer.
func TestLabelsArePrintable(t *testing.T) {
	card := &nameCard{names: []string{testAID}, fci: map[string]string{testAID: "5008 1B5B324A41428D43 9F1101 01"}}
	card.fci[testAID] = strings.ReplaceAll(card.fci[testAID], " ", "")
	list, err := kernel.BuildCandidates(context.Background(), card, []kernel.Application{app(testAID, true)}, true)
	if err != nil || list[0].Label != "[2JABC" || list[0].CodeTable != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The application with the longest AID gives limits and action codes, and the
// configuration is refused as a whole when it is wrong.
func TestConfigCheck(t *testing.T) {
	if err := testConfig().Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*kernel.Config){
		"terminal type":  func(c *kernel.Config) { c.Type = 0x31 },
		"country":        func(c *kernel.Config) { c.Country = 0 },
		"terminal id":    func(c *kernel.Config) { c.TerminalID = "1" },
		"no application": func(c *kernel.Config) { c.Applications = nil },
		"short AID":      func(c *kernel.Config) { c.Applications[0].AID = unhex("A0000000") },
		"action code":    func(c *kernel.Config) { c.Applications[0].TAC.Online = unhex("FF") },
		"threshold":      func(c *kernel.Config) { c.Applications[0].RandomThreshold = 6000 },
		"percentage":     func(c *kernel.Config) { c.Applications[0].RandomMax = 100 },
		"TDOL":           func(c *kernel.Config) { c.Applications[0].DefaultTDOL = unhex("9F02") },
		"acquirer":       func(c *kernel.Config) { c.Acquirer = "12A" },
	} {
		cfg := testConfig()
		change(cfg)
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), "kernel configuration") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := kernel.Select(context.Background(), newCard(), cfg, kernel.Callbacks{}); err == nil {
			t.Errorf("%s: Select takes it", name)
		}
	}
}
