package kernel_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
)

// TVR and TSI begin at zero with every GET PROCESSING OPTIONS, and a function
// that was performed without success is performed all the same (B3 10.1, Annex C6).
func TestTrap01TSISaysPerformedNotSucceeded(t *testing.T) {
	card, cfg := newSigningCard(t, aipDDA), loaded(t)
	card.tamper = func(b []byte) { b[10]++ }
	card.records["8C"] = "95059B029F3704"
	card.answers[0x82] = "6300"
	card.certify(card.static())
	s, r, err := first(t, card, cfg, typing("9999", "9998", "9997"))
	must(t, err)
	// Authentication and cardholder verification have failed and were performed.
	if fmt.Sprintf("%X %X", r.TVR, r.TSI) != "0800208000 E800" || !emv.TVRDDAFailed.In(r.TVR[:]) {
		t.Errorf("TVR %X TSI %X", r.TVR, r.TSI)
	}
	o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: objects("91", "A584F94900820000")})
	if !emv.TSIIssuerAuth.In(o.TSI[:]) || !emv.TVRIssuerAuthFailed.In(o.TVR[:]) || emv.TSIScript.In(o.TSI[:]) {
		t.Errorf("TVR %X TSI %X", o.TVR, o.TSI)
	}
	if got := card.sent("AE")[0]; got[10:24] != "0800208000"+"C800" {
		t.Errorf("the card was told %s", got[10:24])
	}
	// What was not performed has no bit, and nothing stays from the card before.
	plain := newCard()
	plain.aip = "0000"
	if _, r = online(t, plain, typing("1234")); fmt.Sprintf("%X %X", r.TVR, r.TSI) != "8000008000 2800" {
		t.Errorf("TVR %X TSI %X", r.TVR, r.TSI)
	}
}

// A CA key that is not there makes the method fail; "not performed" stays off (B3 10.3).
func TestTrap03CAKeyMissingIsAFailure(t *testing.T) {
	for aip, bit := range map[string]emv.Bit{aipSDA: emv.TVRSDAFailed, aipDDA: emv.TVRDDAFailed, aipCDA: emv.TVRCDAFailed} {
		card := newSigningCard(t, aip)
		card.objs["8F"] = "00"
		_, r, err := first(t, card, loaded(t), typing("1234"))
		if err != nil || !bit.In(r.TVR[:]) || emv.TVRODANotPerformed.In(r.TVR[:]) || emv.TVRICCDataMissing.In(r.TVR[:]) || !emv.TSIODA.In(r.TSI[:]) {
			t.Errorf("AIP %s: %+v, %v", aip, r, err)
		}
	}
}

// CDOL data hold the values of their moment, and one unpredictable number serves
// INTERNAL AUTHENTICATE and both GENERATE AC (B3 5.4, 9; B4 6.5.6).
func TestTrap11CDOLValuesOfTheMoment(t *testing.T) {
	card := newSigningCard(t, aipDDA)
	card.records["8C"], card.records["8D"] = "95059B029F3704", "95059B029F37048A02"
	card.answers[0x82] = "6300"
	card.certify(card.static())
	s, _, err := first(t, card, loaded(t), typing("1234"))
	must(t, err)
	s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: objects("91", "A584F94900820000")})
	ac := card.sent("AE")
	un := card.sent("88")[0][10:18]
	if want := []string{"0000008000C800" + un, "0000008040F800" + un + "3030"}; len(ac) != 2 || !strings.HasPrefix(ac[0][10:], want[0]) || !strings.HasPrefix(ac[1][10:], want[1]) {
		t.Errorf("GENERATE AC %v, want data %v", ac, want)
	}
	// Another transaction has another number: it comes from the source of randomness.
	tx := testTransaction()
	tx.Random = fixed(7)
	_, _, err = run(t, newCard(), testConfig(), typing("1234"), tx)
	must(t, err)
	other := newSigningCard(t, aipDDA)
	s2, err := kernel.Select(context.Background(), other, loaded(t), typing("1234"))
	must(t, err)
	defer s2.Close()
	if _, err = s2.First(context.Background(), tx); err != nil || other.sent("88")[0][10:18] != "07070707" {
		t.Errorf("%v, %v", other.sent("88"), err)
	}
}

// X and Y are compared in the application currency only; equal is neither under
// nor over (B3 10.5).
func TestTrap16AmountConditionsNeedTheApplicationCurrency(t *testing.T) {
	for name, c := range map[string]struct {
		condition          string
		amount             int64
		currency, appMoney int
		applies            bool
	}{
		"under X":           {"06", 9999, 840, 840, true},
		"at X":              {"06", 10000, 840, 840, false},
		"over X":            {"07", 10001, 840, 840, true},
		"at X, over":        {"07", 10000, 840, 840, false},
		"under Y":           {"08", 19999, 840, 840, true},
		"at Y":              {"08", 20000, 840, 840, false},
		"over Y":            {"09", 20001, 840, 840, true},
		"at Y, over":        {"09", 20000, 840, 840, false},
		"another currency":  {"06", 1, 978, 840, false},
		"another, over":     {"09", 99999, 978, 840, false},
		"no 9F42":           {"06", 1, 840, 0, false},
		"reserved, 0A":      {"0A", 1, 840, 840, false},
		"proprietary, 80":   {"80", 1, 840, 840, false},
		"always, no matter": {"00", 1, 978, 0, true},
	} {
		v := kernel.Verification{List: unhex("00002710 00004E20 1F" + c.condition), Amount: c.amount, Currency: c.currency,
			AppCurrency: c.appMoney, Capabilities: [3]byte{0xE0, 0xF8, 0xC8}, Card: newCard()}
		got, err := v.Run(context.Background())
		if err != nil || (got.Results.Code == emv.CVMNone) != c.applies {
			t.Errorf("%s: %X, %v", name, got.Results.Bytes(), err)
		}
	}
}

// The floor limit is binary in tag 9F1B; at the limit is over it; the latest
// amount of the same card counts with it (B3 10.6.1).
func TestTrap18FloorLimitIsBinary(t *testing.T) {
	for name, c := range map[string]struct {
		amount, last int64
		over         bool
	}{"below": {4999, 0, false}, "at": {5000, 0, true}, "with the log": {3000, 2000, true}, "just below with the log": {3000, 1999, false}} {
		card, tx := newCard(), testTransaction()
		card.records["8C"] = "9F1B0481049F3704"
		tx.Amount = c.amount
		ask := kernel.Callbacks{LastAmount: func(*kernel.CardInfo) int64 { return c.last }}
		_, r, err := run(t, card, testConfig(), ask, tx)
		if err != nil || emv.TVRFloorLimit.In(r.TVR[:]) != c.over || !emv.TSITerminalRisk.In(r.TSI[:]) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if got := card.sent("AE")[0][10:26]; got != fmt.Sprintf("00001388%08X", c.amount) {
			t.Errorf("%s: 9F1B and 81 are %s", name, got)
		}
	}
}

// Tag 8A is in CDOL2 as it came about: the issuer's, or the terminal's own (B4
// 6.3.6, Annex A6).
func TestTrap20ARCReachesTheCard(t *testing.T) {
	quiet := kernel.ActionCodes{Online: unhex("0000008000")}
	for name, c := range map[string]struct {
		answer kernel.Answer
		tac    kernel.ActionCodes
		arc    string
	}{
		"issuer approves":     {kernel.Answer{Approved: true, ARC: "00"}, quiet, "00"},
		"issuer declines":     {kernel.Answer{ARC: "51"}, quiet, "51"},
		"issuer's own 8A":     {kernel.Answer{Approved: true, ARC: "00", Objects: objects("8A", "3038")}, quiet, "08"},
		"unable, approved":    {kernel.Answer{Route: kernel.Unsent}, quiet, "Y3"},
		"unable, declined":    {kernel.Answer{Route: kernel.Unsent}, kernel.ActionCodes{Online: unhex("0000008000"), Default: unhex("0000008000")}, "Z3"},
		"no answer, declined": {kernel.Answer{Route: kernel.NoAnswer}, quiet, "Z3"},
		"code of no length":   {kernel.Answer{Approved: true, ARC: "approved"}, quiet, "00"},
	} {
		card, cfg := newCard(), testConfig()
		card.records["8D"] = "8A029F3704"
		cfg.Applications[0].TAC = c.tac
		s, r, err := run(t, card, cfg, typing("1234"), testTransaction())
		if err != nil || r.Outcome != nil {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		o := s.Second(context.Background(), c.answer)
		if got := string(unhex(card.sent("AE")[1][10:14])); got != c.arc || o.ARC != c.arc {
			t.Errorf("%s: the card got %q, the outcome says %q", name, got, o.ARC)
		}
	}
	// The first GENERATE AC has it too, when the terminal decides: Y1 and Z1.
	for arc, tac := range map[string]kernel.ActionCodes{"Y1": {}, "Z1": {Denial: unhex("8000000000")}} {
		card, cfg := newCard(), testConfig()
		card.first, card.records["8C"], cfg.Applications[0].TAC = emv.TC, "8A029F3704", tac
		tx := testTransaction()
		tx.Amount = 100
		_, r, err := run(t, card, cfg, typing("1234"), tx)
		if err != nil || r.Outcome == nil || r.Outcome.ARC != arc || string(unhex(card.sent("AE")[0][10:14])) != arc {
			t.Errorf("%s: %+v, %v", arc, r, err)
		}
	}
}

// DE 55 of the request has the values of the ARQC; the advice has the later ones.
func TestTrap26DE55OfTheRequestIsOfTheARQC(t *testing.T) {
	card := newCard()
	card.answers[0x82] = "6300"
	s, r := online(t, card, typing("1234"))
	before := fmt.Sprintf("%X", r.DE55)
	o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: objects("91", "A584F94900820000")})
	if got := fmt.Sprintf("%s %s %s", tagOf(t, r.DE55, 0x95), tagOf(t, r.DE55, 0x9B), tagOf(t, r.DE55, 0x9F34)); got != "8000008000 6800 410302" || fmt.Sprintf("%X", r.DE55) != before {
		t.Errorf("request: %s", got)
	}
	if got := fmt.Sprintf("%s %s %s %s", tagOf(t, o.DE55, 0x95), tagOf(t, o.DE55, 0x9B), tagOf(t, o.DE55, 0x9F34), tagOf(t, o.DE55, 0x9F27)); got != "8000008040 7800 410302 40" {
		t.Errorf("advice: %s", got)
	}
}
