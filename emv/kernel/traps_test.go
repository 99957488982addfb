package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
)

// The traps that kernels fall into, each with its rule.

func wantReason(t *testing.T, err error, reason kernel.Reason, fallback bool) {
	t.Helper()
	e, ok := errors.AsType[*kernel.Error](err)
	if !ok || e.Reason != reason || e.Fallback != fallback {
		t.Errorf("error %v (fallback %v), want %v with fallback %v", err, ok && e.Fallback, reason, fallback)
	}
}

func typing(pins ...string) kernel.Callbacks {
	return kernel.Callbacks{OfflinePIN: func(context.Context, kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
		if len(pins) == 0 {
			return kernel.PINBypassed, secret.Secret{}, nil
		}
		pin := pins[0]
		pins = pins[1:]
		return kernel.PINEntered, secret.New([]byte(pin)), nil
	}}
}

func tagOf(t *testing.T, de55 []byte, tag uint32) string {
	t.Helper()
	nodes, err := ber.Parse(de55, ber.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n, ok := ber.Find(nodes, tag)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%X", n.Value)
}

// TVR and TSI begin at zero at every GET PROCESSING OPTIONS; 6985 takes the
// application out and goes on with the next (B3 10.1).
func TestTrap08GPO6985GoesOnWithTheNextApplication(t *testing.T) {
	card := newCard()
	first := true
	two := cardFunc(func(ctx context.Context, capdu []byte) ([]byte, error) {
		text := fmt.Sprintf("%X", capdu)
		switch {
		case strings.HasPrefix(text, "00A4") && strings.Contains(text, "A0000000041010"):
			return ok(objects("6F", fmt.Sprintf("%X", objects("84", "A0000000041010", "A5", "870102")))), nil
		case strings.HasPrefix(text, "80A8") && first:
			first = false
			return unhex("6985"), nil
		}
		return card.Transmit(ctx, capdu)
	})
	cfg := testConfig()
	second := cfg.Applications[0]
	second.AID = unhex("A0000000041010")
	cfg.Applications = append(cfg.Applications, second)
	s, err := kernel.Select(context.Background(), two, cfg, kernel.Callbacks{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.First(context.Background(), testTransaction())
	if err != nil || fmt.Sprintf("%X", r.Card.AID) != "A0000000041010" {
		t.Fatalf("First = %+v, %v", r, err)
	}
	if got := tagOf(t, r.DE55, 0x84); got != "A0000000041010" {
		t.Errorf("84 = %s", got)
	}
}

type cardFunc func(context.Context, []byte) ([]byte, error)

func (f cardFunc) Transmit(ctx context.Context, capdu []byte) ([]byte, error) { return f(ctx, capdu) }

// Any other status word than 9000 and 6985 ends the transaction, 6700 and 6D00
// among them (B3 6.5.8.5, 6.5.5.5).
func TestTrap08OtherStatusWordsTerminate(t *testing.T) {
	for _, sw := range []string{"6700", "6D00", "6283", "6300", "0000", "9001"} {
		card := newCard()
		card.answers[0xA8] = sw
		_, _, err := run(t, card, testConfig(), kernel.Callbacks{}, testTransaction())
		wantReason(t, err, kernel.CardError, true)
		card = newCard()
		card.answers[0xAE] = sw
		_, _, err = run(t, card, testConfig(), kernel.Callbacks{}, testTransaction())
		wantReason(t, err, kernel.CardError, false)
	}
}

// Both formats of GET PROCESSING OPTIONS and GENERATE AC are read (B3 6.5).
func TestTrap09PositionalAnswers(t *testing.T) {
	card := newCard()
	card.answers[0xA8] = "8006 1C00 08010101 9000"
	card.answers[0xAE] = "8012 80 0041 1122334455667788 06010A03A00000 9000"
	_, r := online(t, card, typing("1234"))
	if atc, iad := tagOf(t, r.DE55, 0x9F36), tagOf(t, r.DE55, 0x9F10); atc != "0041" || iad != "06010A03A00000" {
		t.Errorf("9F36 %s, 9F10 %s", atc, iad)
	}
	for _, bad := range []string{"800A 80 0041 11223344556677 9000", "77039F2700 9000", "", "9000", "8000 9000",
		"770A 9F270180 9F36020041 9000", "7008 9F270180 9F26 9000"} {
		card := newCard()
		card.answers[0xAE] = bad
		if _, _, err := run(t, card, testConfig(), kernel.Callbacks{}, testTransaction()); err == nil {
			t.Errorf("GENERATE AC answer %s was accepted", bad)
		}
	}
}

// What every record and every application must have (B3 7.2, 10.2).
func TestTrap06RecordsAreChecked(t *testing.T) {
	refuses(t, map[string]func(*testCard){
		"5A missing":          func(c *testCard) { c.records["5A"] = "" },
		"5F24 missing":        func(c *testCard) { c.records["5F24"] = "" },
		"8C missing":          func(c *testCard) { c.records["8C"] = "" },
		"8D missing":          func(c *testCard) { c.records["8D"] = "" },
		"8C malformed":        func(c *testCard) { c.records["8C"] = "9F02" },
		"PAN with letters":    func(c *testCard) { c.records["5A"] = "47617390010101AA" },
		"PAN of 20 digits":    func(c *testCard) { c.records["5A"] = "47617390010101191234" },
		"month 13":            func(c *testCard) { c.records["5F24"] = "301331" },
		"object twice":        func(c *testCard) { c.answers[0xA8] = "8006 1C00 08010200 9000" },
		"behind the record":   func(c *testCard) { c.answers[0xB2] = "70 04 5F340101 00 9000" },
		"two templates":       func(c *testCard) { c.answers[0xB2] = "7000 7000 9000" },
		"other template":      func(c *testCard) { c.answers[0xB2] = "7100 9000" },
		"record not found":    func(c *testCard) { c.answers[0xB2] = "6A83" },
		"records without end": func(c *testCard) { c.answers[0xA8] = "8006 1C00 0801FF00 9000" },
	})
}

// An AFL is checked as a whole before a record is read (B3 10.2).
func TestTrap07AFLIsChecked(t *testing.T) {
	refuses(t, map[string]func(*testCard){
		"AFL empty":           func(c *testCard) { c.answers[0xA8] = "7706 82021C00 9400 9000" },
		"AFL of five bytes":   func(c *testCard) { c.answers[0xA8] = "770B 82021C00 9405 0801010101 9000" },
		"file 0":              func(c *testCard) { c.answers[0xA8] = "8006 1C00 00010100 9000" },
		"file 31":             func(c *testCard) { c.answers[0xA8] = "8006 1C00 F8010100 9000" },
		"low bits of file":    func(c *testCard) { c.answers[0xA8] = "8006 1C00 09010100 9000" },
		"first record 0":      func(c *testCard) { c.answers[0xA8] = "8006 1C00 08000100 9000" },
		"last before first":   func(c *testCard) { c.answers[0xA8] = "8006 1C00 08020100 9000" },
		"signed more":         func(c *testCard) { c.answers[0xA8] = "8006 1C00 08010102 9000" },
		"records without end": func(c *testCard) { c.answers[0xA8] = "8006 1C00 0801FF00 9000" },
	})
}

// refuses wants each card to end the transaction before a cryptogram.
func refuses(t *testing.T, cards map[string]func(*testCard)) {
	t.Helper()
	for name, change := range cards {
		card := newCard()
		change(card)
		_, _, err := run(t, card, testConfig(), kernel.Callbacks{}, testTransaction())
		e, ok := errors.AsType[*kernel.Error](err)
		if !ok || e.Reason != kernel.CardError || len(card.sent("AE")) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same object twice ends the transaction even where both are equal.
func TestTrap06ObjectTwice(t *testing.T) {
	card := newCard()
	card.answers[0xA8] = "8006 1C00 08010200 9000" // two records, and this card has one for all
	_, _, err := run(t, card, testConfig(), kernel.Callbacks{}, testTransaction())
	if err == nil || !strings.Contains(err.Error(), "5A is there twice (B3 10.2)") || len(card.sent("B2")) != 2 {
		t.Errorf("%v after %v", err, card.sent("B2"))
	}
}

// An object of the terminal in a record is not the card's to give (B3 Annex A1).
func TestCardCannotGiveTerminalObjects(t *testing.T) {
	card := newCard()
	card.records["9F02"], card.records["95"] = "000000000001", "0000000000"
	_, r := online(t, card, typing("1234"))
	if tagOf(t, r.DE55, 0x9F02) != "000000010000" || tagOf(t, r.DE55, 0x95) != "8000008000" {
		t.Errorf("the card changed the amount or the TVR: %X", r.DE55)
	}
}

// Static data are the values of records of files 1 to 10 and whole records of
// files 11 to 30; 9F4A may name the AIP alone (B3 10.3).
func TestTrap05StaticData(t *testing.T) {
	records := func(sdaTags string) *kernel.Records {
		body := objects("5A", testPAN, "5F24", "301231", "8C", cdol1, "8D", cdol2)
		if sdaTags != "" {
			body = append(body, objects("9F4A", sdaTags)...)
		}
		card := cardFunc(func(_ context.Context, c []byte) ([]byte, error) {
			if c[3]>>3 == 11 {
				return unhex("7003 9F0100 9000"), nil
			}
			return ok(objects("70", fmt.Sprintf("%X", body))), nil
		})
		r, err := kernel.ReadRecords(context.Background(), card, unhex("08010101 58010101"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	plain, withAIP := records("").StaticData(unhex("1C00")), records("82").StaticData(unhex("1C00"))
	if !bytes.HasSuffix(plain, unhex("70039F0100")) || plain[0] != 0x5A {
		t.Errorf("static data %X", plain)
	}
	if !bytes.HasSuffix(withAIP, unhex("70039F0100 1C00")) {
		t.Errorf("static data with AIP %X", withAIP)
	}
	if s := records("829F36").StaticData(unhex("1C00")); s != nil {
		t.Errorf("9F4A with another tag gives %X", s)
	}
}

// A card may answer lower than asked, never higher, and never with ARQC to the
// second GENERATE AC (B3 10.8, 10.11).
func TestTrap13CryptogramAboveTheRequest(t *testing.T) {
	card := newCard()
	card.answers[0xAE] = "800B 40 0001 1122334455667788 9000" // TC to an ARQC
	_, _, err := run(t, card, testConfig(), kernel.Callbacks{}, testTransaction())
	wantReason(t, err, kernel.CardError, false)
	for _, cid := range []string{"80", "C0"} {
		card = newCard()
		s, _ := online(t, card, typing("1234"))
		card.answers[0xAE] = "800B " + cid + " 0001 1122334455667788 9000"
		o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00"})
		if o.Result != kernel.Declined || !o.Reversal || o.By != kernel.ByFault {
			t.Errorf("%s: %+v", cid, o)
		}
	}
	card = newCard()
	s, _ := online(t, card, typing("1234"))
	card.answers[0xAE] = "800B 40 0001 1122334455667788 9000" // TC although declined
	if o := s.Second(context.Background(), kernel.Answer{ARC: "05"}); o.Result != kernel.Declined || o.Reversal {
		t.Errorf("a declined answer became %+v", o)
	}
}

// A card that answers ARQC where a TC was asked for goes online (B3 10.8).
func TestTrap13CardMayGoOnlineByItself(t *testing.T) {
	cfg := testConfig()
	cfg.Applications[0].TAC = kernel.ActionCodes{}
	tx := testTransaction()
	tx.Amount = 1000
	card := newCard()
	s, r, err := run(t, card, cfg, typing("1234"), tx)
	if err != nil || r.Outcome != nil || r.Cryptogram != emv.ARQC || card.sent("AE")[0][4:6] != "40" {
		t.Fatalf("First = %+v, %v", r, err)
	}
	o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00"})
	if o.Result != kernel.Approved || o.ARC != "00" {
		t.Errorf("%+v", o)
	}
}

// EXTERNAL AUTHENTICATE is sent once, with 91 and AIP b3 only; without 91 no bit
// is set; a refusal sets B5b7 and TSI b5 (B3 10.9).
func TestTrap21IssuerAuthentication(t *testing.T) {
	for name, c := range map[string]struct {
		aip, data, sw string
		sent          int
		failed, tsi   bool
	}{
		"accepted":      {"1C00", "A584F94900820000", "9000", 1, false, true},
		"refused":       {"1C00", "A584F94900820000", "6300", 1, true, true},
		"no 91":         {"1C00", "", "9000", 0, false, false},
		"AIP without":   {"1800", "A584F94900820000", "9000", 0, false, false},
		"91 too short":  {"1C00", "A584", "9000", 0, true, true},
		"91 over 16":    {"1C00", strings.Repeat("AA", 17), "9000", 0, true, true},
		"second attack": {"1C00", "A584F94900820000 9108A584F94900820000", "9000", 1, false, true},
	} {
		card := newCard()
		card.aip, card.answers[0x82] = c.aip, c.sw
		s, _ := online(t, card, typing("1234"))
		var de55 []byte
		if c.data != "" {
			first, second, _ := strings.Cut(c.data, " ")
			de55 = append(objects("91", first), unhex(second)...)
		}
		o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: de55})
		if len(card.sent("82")) != c.sent || emv.TVRIssuerAuthFailed.In(o.TVR[:]) != c.failed ||
			emv.TSIIssuerAuth.In(o.TSI[:]) != c.tsi {
			t.Errorf("%s: sent %v, TVR %X TSI %X", name, card.sent("82"), o.TVR, o.TSI)
		}
	}
}

// 91 reaches a card without EXTERNAL AUTHENTICATE through CDOL2; 8A is there as built.
func TestTrap21CDOL2HoldsIssuerDataAndARC(t *testing.T) {
	card := newCard()
	card.aip, card.records["8D"] = "1800", "8A02910A"
	s, _ := online(t, card, typing("1234"))
	s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: objects("91", "A584F94900820000")})
	if got := card.sent("AE")[1]; got != "80AE40000C3030A584F94900820000000000" {
		t.Errorf("second GENERATE AC %s", got)
	}
}

// 5F34 that is absent is not 5F34 of zero (B2 A1.4).
func TestTrap27PANSequenceAbsent(t *testing.T) {
	card := newCard()
	card.records["5F34"] = ""
	_, r := online(t, card, typing("1234"))
	if r.Card.Sequence != -1 || tagOf(t, r.DE55, 0x5F34) != "" {
		t.Errorf("sequence %d", r.Card.Sequence)
	}
	card = newCard()
	card.records["5F34"] = "00"
	if _, r = online(t, card, typing("1234")); r.Card.Sequence != 0 || tagOf(t, r.DE55, 0x5F34) != "00" {
		t.Errorf("sequence %d", r.Card.Sequence)
	}
}

// DE 55 never holds the PAN, tracks, name or expiry.
func TestDE55HoldsNoCardData(t *testing.T) {
	_, r := online(t, newCard(), typing("1234"))
	nodes, err := ber.Parse(r.DE55, ber.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if slices.Contains([]uint32{0x5A, 0x57, 0x56, 0x5F20, 0x5F24, 0x99, 0x9F1F, 0x9F20, 0x9F6B}, n.Tag) {
			t.Errorf("DE 55 holds %X", n.Tag)
		}
	}
	if bytes.Contains(r.DE55, unhex(testPAN)) {
		t.Error("DE 55 holds the PAN")
	}
	if string(r.Card.PAN.Expose()) != testPAN || strings.Contains(fmt.Sprintf("%+v", r), "4761") {
		t.Error("PAN missing or printed")
	}
}

// No magnetic stripe for a blocked card, nor after the first GENERATE AC (B4 6.7).
func TestTrap33Fallback(t *testing.T) {
	card := newCard()
	card.answers[0xA4] = "6A81"
	_, err := kernel.Select(context.Background(), card, testConfig(), kernel.Callbacks{})
	wantReason(t, err, kernel.CardBlocked, false)
	card = newCard()
	card.answers[0xA4] = "6A82"
	_, err = kernel.Select(context.Background(), card, testConfig(), kernel.Callbacks{})
	wantReason(t, err, kernel.NoApplication, true)
	card = newCard()
	card.lost = 0xB2
	_, _, err = run(t, card, testConfig(), kernel.Callbacks{}, testTransaction())
	wantReason(t, err, kernel.CardLost, true)
	card = newCard()
	card.lost, card.acs = 0xAE, 1
	_, _, err = run(t, card, testConfig(), kernel.Callbacks{}, testTransaction())
	wantReason(t, err, kernel.CardLost, false)
}

// A card that is pulled after the host has approved leaves a reversal.
func TestCardRemovedAfterApproval(t *testing.T) {
	for _, lost := range []byte{0x82, 0xAE} {
		card := newCard()
		s, _ := online(t, card, typing("1234"))
		card.lost = lost
		o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00", Objects: objects("91", "A584F94900820000")})
		if o.Result != kernel.Declined || !o.Reversal || o.By != kernel.ByFault || o.Err == nil {
			t.Errorf("%02X: %+v", lost, o)
		}
	}
}
