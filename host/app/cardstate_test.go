package app_test

import (
	"testing"

	"tallystick.example/internal/cli"
)

// listed is a line of host card list.
type listed struct {
	Token, Status string
	LastFour      string `json:"last_four"`
	PINLeft       int    `json:"pin_left"`
}

// TestCardState: an operator sees why a card is refused, and lets it pay again.
func TestCardState(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	pay := func(pin, want string) {
		t.Helper()
		if _, ans := k.pay(sale{minor: 1, pin: pin, entry: "901"}); ans.ResponseCode() != want {
			t.Errorf("DE 39 is %s, want %s", ans.ResponseCode(), want)
		}
	}
	card := func() listed {
		t.Helper()
		all := lines[listed](t, l.run("card", "list", "--json"))
		if len(all) != 1 {
			t.Fatalf("%d cards are listed", len(all))
		}
		return all[0]
	}
	for range 3 {
		pay("4321", "55")
	}
	pay(testPIN, "75")
	c := card()
	if c.PINLeft != 0 || c.Status != "active" || c.LastFour != testPAN[len(testPAN)-4:] {
		t.Errorf("the list shows %+v", c)
	}
	l.run("card", "reset-pin", c.Token)
	if n := card().PINLeft; n != 3 {
		t.Errorf("%d tries after the reset, want 3", n)
	}
	pay(testPIN, "00")
	l.run("card", "status", c.Token, "stolen")
	pay(testPIN, "43")
	l.run("card", "status", c.Token, "active")
	pay(testPIN, "00")
	for want, args := range map[int][]string{
		cli.ExitFailed: {"card", "reset-pin", "nobody"},
		cli.ExitUsage:  {"card", "status", c.Token, "fine"},
	} {
		if _, errs, code := l.try(args...); code != want {
			t.Errorf("%v: exit code %d, want %d: %s", args, code, want, errs)
		}
	}
	l.run("audit", "verify")
}

// TestTerminalBlockedAndBack: a blocked terminal's connection ends, and it is let
// in again with the keys that it had.
func TestTerminalBlockedAndBack(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	l.run("terminal", "block", "TERM0001")
	keys := k.advance()
	if ans, err := k.exchange(seal(t, k.purchase(sale{minor: 1, pin: testPIN}, keys), keys)); err == nil {
		t.Errorf("a blocked terminal was answered %v", ans)
	}
	l.run("terminal", "unblock", "TERM0001")
	if _, ans := tm.dial().pay(sale{minor: 1, pin: testPIN, entry: "901"}); ans.ResponseCode() != "00" {
		t.Errorf("an unblocked terminal: DE 39 is %s", ans.ResponseCode())
	}
}
