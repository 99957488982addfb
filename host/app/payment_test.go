package app_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
)

// open makes a serving lab with a card of 100,000 and one terminal.
func open(t *testing.T, scheme string) (*lab, *terminal) {
	t.Helper()
	l := newLab(t)
	l.addCard(testPAN, 100_000)
	l.serve()
	return l, l.addTerminal("TERM0001", scheme)
}

// TestPayments walks approvals and declines through TLS, boundary, issuer and
// ledger, for both DUKPT schemes.
func TestPayments(t *testing.T) {
	for _, scheme := range []string{"aes", "tdes"} {
		t.Run(scheme, func(t *testing.T) {
			l, tm := open(t, scheme)
			k := tm.dial()
			for _, c := range []struct {
				name                 string
				sale                 sale
				rc, filed, pin, arqc string
			}{
				{"chip and PIN", sale{minor: 1234, pin: testPIN}, "00", "00", "right", "right"},
				{"chip", sale{minor: 100}, "00", "00", "none", "right"},
				{"wrong PIN", sale{minor: 100, pin: "4321"}, "55", "55", "wrong", "right"},
				{"wrong cryptogram", sale{minor: 100, pin: testPIN, spoil: true}, "82", "82", "right", "wrong"},
				{"not sufficient funds", sale{minor: 99_000, pin: testPIN}, "51", "51", "right", "right"},
				{"stripe and PIN", sale{minor: 50, pin: testPIN, entry: "901"}, "00", "00", "right", "none"},
				{"stripe without PIN", sale{minor: 50, entry: "901"}, "05", "05", "none", "none"},
			} {
				req, ans := k.pay(c.sale)
				if ans.ResponseCode() != c.rc {
					t.Errorf("%s: DE 39 is %s, want %s", c.name, ans.ResponseCode(), c.rc)
				}
				got := l.txs("--terminal", "TERM0001", "--stan", req.STAN())
				if len(got) != 1 || got[0].RC != c.rc || got[0].Filed != c.filed || got[0].PIN != c.pin || got[0].ARQC != c.arqc || got[0].MAC != "valid" {
					t.Errorf("%s: host tx shows %+v", c.name, got)
				}
				_, hasARPC := ber91(t, ans)
				if hasARPC != (c.arqc == "right") {
					t.Errorf("%s: ARPC in the answer: %v", c.name, hasARPC)
				}
				if (c.rc == "00") != (ans.Text(38) != "") || ans.RRN() == "" {
					t.Errorf("%s: DE 38 %q, DE 37 %q", c.name, ans.Text(38), ans.RRN())
				}
			}
			l.sound(1234 + 100 + 50)
			if strings.Contains(l.logs.String(), testPAN) {
				t.Error("the log shows the card number")
			}
		})
	}
}

// ber91 finds the issuer authentication data of an answer.
func ber91(t *testing.T, m *iso8583.Message) (string, bool) {
	t.Helper()
	nodes, err := ber.Parse(m.Bytes(55), ber.Limits{})
	if err != nil {
		return "", false
	}
	n, ok := ber.Find(nodes, 0x91)
	return hex.EncodeToString(n.Value), ok
}

// TestUnknownCardAndTries: 14, and 75 after three wrong PINs, also for the right
// one.
func TestUnknownCardAndTries(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	for i := range 3 {
		if _, ans := k.pay(sale{minor: 1, pin: "9999"}); ans.ResponseCode() != "55" {
			t.Errorf("wrong PIN %d: %s", i+1, ans.ResponseCode())
		}
	}
	if _, ans := k.pay(sale{minor: 1, pin: testPIN}); ans.ResponseCode() != "75" {
		t.Errorf("the right PIN after three wrong ones: %s", ans.ResponseCode())
	}
	tm.pan = "4929000000000014"
	if _, ans := k.pay(sale{minor: 1, pin: testPIN}); ans.ResponseCode() != "14" {
		t.Errorf("an unknown card: %s", ans.ResponseCode())
	}
	l.sound(0)
}

// TestReversalOrders: after, before, twice, of a declined one, and of another
// amount.
func TestReversalOrders(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	keys := k.advance()
	plan := k.plan(sale{minor: 1000, pin: testPIN})
	req := k.encrypt(plan, testPIN, keys)
	if rc := k.ask(req, keys).ResponseCode(); rc != "00" {
		t.Errorf("sale: %s", rc)
	}
	if rc := k.reverse(req); rc != "00" {
		t.Errorf("reversal of an approval: %s", rc)
	}
	keys = k.advance()
	if rc := k.ask(asRepeat(t, k.encrypt(plan, testPIN, keys)), keys).ResponseCode(); rc != "68" {
		t.Errorf("the original after its reversal: %s", rc)
	}
	keys = k.advance()
	early := k.purchase(sale{minor: 2000, pin: testPIN}, keys)
	if rc := k.reverse(early); rc != "00" {
		t.Errorf("reversal of an unknown: %s", rc)
	}
	if rc := k.ask(early, keys).ResponseCode(); rc != "68" {
		t.Errorf("the overtaken original: %s", rc)
	}
	stan := k.header().STAN
	for range 3 {
		keys := k.advance()
		if rc := k.ask(k.reversalOf(req, stan, true, keys), keys).ResponseCode(); rc != "00" {
			t.Errorf("a repeated reversal: %s", rc)
		}
	}
	declined, _ := k.pay(sale{minor: 1000, pin: "9999"})
	if rc := k.reverse(declined); rc != "00" {
		t.Errorf("reversal of a decline: %s", rc)
	}
	other, _ := k.pay(sale{minor: 300, pin: testPIN})
	foreign := other.Clone()
	foreign.SetNumber(4, 200)
	if rc := k.reverse(foreign); rc != "94" {
		t.Errorf("reversal of another amount: %s", rc)
	}
	l.stop()
	l.sound(300)
	for _, x := range l.txs() {
		want := "reversed"
		if x.Amount == 300 {
			want = "approved"
		}
		if x.State != want {
			t.Errorf("STAN %s of %d is %s, want %s", x.STAN, x.Amount, x.State, want)
		}
	}
}

// TestDuplicates: the same identity with the same content gets the same answer
// and the same ARPC, with other content 94.
func TestDuplicates(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	keys := k.advance()
	plan := k.plan(sale{minor: 700, pin: testPIN})
	req := k.encrypt(plan, testPIN, keys)
	first := k.ask(req, keys)
	again := k.ask(req, keys) // the same bytes are the same message
	fresh := k.advance()
	repeat := k.ask(asRepeat(t, k.encrypt(plan, testPIN, fresh)), fresh)
	arpc, _ := ber91(t, first)
	for name, a := range map[string]*iso8583.Message{"same bytes": again, "repeat": repeat} {
		got, _ := ber91(t, a)
		if a.ResponseCode() != "00" || a.RRN() != first.RRN() || a.Text(38) != first.Text(38) || got != arpc || arpc == "" {
			t.Errorf("%s: DE 39 %s, RRN %s (first %s), ARPC %s (first %s)", name, a.ResponseCode(), a.RRN(), first.RRN(), got, arpc)
		}
	}
	keys = k.advance()
	plan.Amount.Minor++
	if rc := k.ask(k.encrypt(plan, testPIN, keys), keys).ResponseCode(); rc != "94" {
		t.Errorf("the same identity with another amount: %s", rc)
	}
	if n := len(l.txs()); n != 1 {
		t.Errorf("%d transactions, want 1", n)
	}
	l.sound(700)
}

// TestCounters: another message under a used counter is refused with 63 and an
// alarm, and a message below the window too.
func TestCounters(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	keys := k.advance()
	if rc := k.ask(k.purchase(sale{minor: 10, pin: testPIN}, keys), keys).ResponseCode(); rc != "00" {
		t.Fatalf("first: %s", rc)
	}
	if rc := k.ask(k.purchase(sale{minor: 20, pin: testPIN}, keys), keys).ResponseCode(); rc != "63" {
		t.Errorf("another message under the same counter: %s", rc)
	}
	high, err := tm.ksn.WithCounter(5000)
	if err != nil {
		t.Fatal(err)
	}
	far := tm.keysAt(high)
	if rc := k.ask(k.purchase(sale{minor: 30, pin: testPIN}, far), far).ResponseCode(); rc != "00" {
		t.Errorf("a counter far ahead: %s", rc)
	}
	old := k.advance()
	if rc := k.ask(k.purchase(sale{minor: 40, pin: testPIN}, old), old).ResponseCode(); rc != "63" {
		t.Errorf("a counter below the window: %s", rc)
	}
	l.sound(40)
	if out := l.run("audit", "verify"); !strings.Contains(out, "hold") {
		t.Errorf("audit verify: %s", out)
	}
}

// TestRulesDecline: the host's own rules refuse before the issuer is asked.
func TestRulesDecline(t *testing.T) {
	l, tm := open(t, "aes")
	k := tm.dial()
	for range 12 {
		if _, ans := k.pay(sale{minor: 1, pin: testPIN}); ans.ResponseCode() != "00" {
			t.Fatalf("an ordinary sale: %s", ans.ResponseCode())
		}
	}
	req, ans := k.pay(sale{minor: 1, pin: testPIN})
	got := l.txs("--stan", req.STAN())[0]
	if ans.ResponseCode() != "05" || got.Filed != "59" || got.Score != 600 || len(got.Reasons) != 1 || got.Reasons[0].Rule != "card-burst" || got.RulesVersion != "sample 1" {
		t.Errorf("the thirteenth sale of a minute: %s, %+v", ans.ResponseCode(), got)
	}
	if rc := k.ask2(t, sale{minor: 6_000, entry: "901"}); rc != "05" && rc != "1A" {
		t.Errorf("a stripe without PIN: %s", rc)
	}
	l.sound(12)
}

// ask2 pays and gives DE 39.
func (k *link) ask2(t *testing.T, s sale) string {
	t.Helper()
	_, ans := k.pay(s)
	return ans.ResponseCode()
}
