package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/secret"
)

// first runs a card up to the first GENERATE AC.
func first(t testing.TB, card kernel.Card, cfg *kernel.Config, ask kernel.Callbacks) (*kernel.Session, *kernel.Request, error) {
	t.Helper()
	s, err := kernel.Select(context.Background(), card, cfg, ask)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r, err := s.First(context.Background(), testTransaction())
	return s, r, err
}

// AIPs of the tests: cardholder verification, risk management, EXTERNAL
// AUTHENTICATE, and methods.
const (
	aipSDA = "5C00"
	aipDDA = "3C00"
	aipCDA = "1D00"
	aipAll = "7D00"
	aipXDA = "FD00"
)

// The best method that both sides know is taken, XDA never; what the TVR and TSI
// say of it; what the method leaves behind for the CDOL (B3 10.3).
func TestTrap02MethodOfAuthentication(t *testing.T) {
	for name, c := range map[string]struct {
		aip, capabilities string // the third byte of 9F33
		tvr, tsi          string
		internal          int // INTERNAL AUTHENTICATE sent
		p1                string
	}{
		"all":                    {aipAll, "C8", "0000008000", "E800", 0, "90"},
		"XDA offered":            {aipXDA, "C8", "0000008000", "E800", 0, "90"},
		"XDA offered, no CDA":    {aipXDA, "C0", "0000008000", "E800", 1, "80"},
		"XDA offered, SDA alone": {aipXDA, "80", "0200008000", "E800", 0, "80"},
		"terminal without CDA":   {aipAll, "C0", "0000008000", "E800", 1, "80"},
		"terminal with SDA":      {aipAll, "80", "0200008000", "E800", 0, "80"},
		"card with SDA":          {aipSDA, "C8", "0200008000", "E800", 0, "80"},
		"card with DDA":          {aipDDA, "C8", "0000008000", "E800", 1, "80"},
		"card with CDA":          {aipCDA, "C8", "0000008000", "E800", 0, "90"},
		"nothing in common":      {aipDDA, "88", "8000008000", "6800", 0, "80"},
		"card with nothing":      {"1C00", "C8", "8000008000", "6800", 0, "80"},
		"terminal with nothing":  {aipAll, "00", "8000008000", "6800", 0, "80"},
	} {
		card, cfg := newSigningCard(t, c.aip), loaded(t)
		cfg.Capabilities[2] = unhex(c.capabilities)[0]
		_, r, err := first(t, card, cfg, typing("1234"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprintf("%X %X %d %s", r.TVR, r.TSI, len(card.sent("88")), strings.Join(card.p1(), " ")); got != fmt.Sprintf("%s %s %d %s", c.tvr, c.tsi, c.internal, c.p1) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What can be wrong in a chain sets the bit of the method that was chosen, and
// the transaction goes on; a wrong key is not "not performed".
func TestAuthenticationThatFails(t *testing.T) {
	leave := func(tags ...string) func(*signingCard, *kernel.Config) {
		return func(c *signingCard, _ *kernel.Config) {
			for _, tag := range tags {
				c.objs[tag] = ""
			}
		}
	}
	missing := map[string]bool{}
	faults := map[string]func(*signingCard, *kernel.Config){
		"no CA key of that index": func(c *signingCard, _ *kernel.Config) { c.objs["8F"] = "F2" },
		"CA key expired":          func(_ *signingCard, cfg *kernel.Config) { cfg.CAKeys = expired(t) },
		"other CA key":            func(_ *signingCard, cfg *kernel.Config) { cfg.CAKeys = foreign(t) },
		"revoked": func(_ *signingCard, cfg *kernel.Config) {
			cfg.CAKeys = loaded(t, oda.Revocation{RID: [5]byte(unhex(testAID)), Index: 0xF1, Serial: [3]byte{0, 0, 7}}).CAKeys
		},
		"changed record":       func(c *signingCard, _ *kernel.Config) { c.records["5F24"] = "311231" },
		"changed AIP":          func(c *signingCard, _ *kernel.Config) { c.certify(append(c.record(), 0, 0)) },
		"9F4A names more":      func(c *signingCard, _ *kernel.Config) { c.records["9F4A"] = "829F36"; c.certify(c.static()) },
		"issuer for other PAN": func(c *signingCard, _ *kernel.Config) { c.records["5A"] = "4111110000000005"; c.certify(c.static()) },
	}
	for name, tags := range map[string][]string{"no 8F": {"8F"}, "no 90": {"90"}, "no 9F32": {"9F32"}, "no 92 although needed": {"92"}} {
		faults[name], missing[name] = leave(tags...), true
	}
	faults["8F of two bytes"], missing["8F of two bytes"] = func(c *signingCard, _ *kernel.Config) { c.objs["8F"] = "F100" }, true
	for method, m := range map[string]struct {
		aip  string
		bits []emv.Bit
		own  map[string]bool // objects of the method alone
	}{
		"SDA": {aipSDA, []emv.Bit{emv.TVRSDAFailed, emv.TVRSDASelected}, map[string]bool{"93": true}},
		"DDA": {aipDDA, []emv.Bit{emv.TVRDDAFailed}, map[string]bool{"9F46": true, "9F47": true, "9F48": true}},
		"CDA": {aipCDA, []emv.Bit{emv.TVRCDAFailed}, map[string]bool{"9F46": true, "9F47": true, "9F48": true}},
	} {
		all := map[string]func(*signingCard, *kernel.Config){}
		for name, f := range faults {
			all[name] = f
		}
		lacks := map[string]bool{}
		for tag := range m.own {
			all["no "+tag], lacks["no "+tag] = leave(tag), true
		}
		for name, change := range all {
			card, cfg := newSigningCard(t, m.aip), loaded(t)
			change(card, cfg)
			_, r, err := first(t, card, cfg, typing("1234"))
			if err != nil {
				t.Errorf("%s, %s: %v", method, name, err)
				continue
			}
			want := append([]emv.Bit{emv.TVRFloorLimit}, m.bits...)
			if missing[name] || lacks[name] {
				want = append(want, emv.TVRICCDataMissing)
			}
			if fmt.Sprintf("%X", r.TVR) != bits(want) || !emv.TSIODA.In(r.TSI[:]) || slices.Contains(card.p1(), "90") {
				t.Errorf("%s, %s: TVR %X, want %s; TSI %X, P1 %v", method, name, r.TVR, bits(want), r.TSI, card.p1())
			}
		}
	}
}

func expired(t testing.TB) *oda.Keys {
	t.Helper()
	k := testScheme().caKey()
	k.Expires = emv.Day{Year: 2026, Month: 11, Day: 24}
	keys, err := oda.NewKeys([]oda.CAKey{k}, nil)
	must(t, err)
	return keys
}

func foreign(t testing.TB) *oda.Keys {
	t.Helper()
	k := testScheme().caKey()
	other, err := issue.Generate(issue.Stream("another authority"), 1024, 3)
	must(t, err)
	k.Modulus = other.Modulus()
	k.Checksum = k.Sum()
	keys, err := oda.NewKeys([]oda.CAKey{k}, nil)
	must(t, err)
	return keys
}

// DDA: the DDOL of the card or the default one, both formats of the answer, and
// what the card may get wrong (B2 6.5, B3 6.5.9).
func TestTrap12DynamicAuthentication(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*signingCard, *kernel.Config)
		sent   string // data of INTERNAL AUTHENTICATE
		failed bool
	}{
		"own DDOL":            {func(*signingCard, *kernel.Config) {}, "62000000000000010000", false},
		"format 2":            {func(c *signingCard, _ *kernel.Config) { c.format = 2 }, "62000000000000010000", false},
		"default DDOL":        {func(c *signingCard, _ *kernel.Config) { c.objs["9F49"] = "" }, "62000000", false},
		"no DDOL":             {func(c *signingCard, cfg *kernel.Config) { c.objs["9F49"], cfg.Applications[0].DefaultDDOL = "", nil }, "", true},
		"DDOL without 9F37":   {func(c *signingCard, _ *kernel.Config) { c.objs["9F49"] = "9F0206" }, "", true},
		"DDOL malformed":      {func(c *signingCard, _ *kernel.Config) { c.objs["9F49"] = "9F37049F" }, "", true},
		"signature tampered":  {func(c *signingCard, _ *kernel.Config) { c.tamper = func(b []byte) { b[10]++ } }, "62000000000000010000", true},
		"signature truncated": {func(c *signingCard, _ *kernel.Config) { c.answers[0x88] = "8004 11223344 9000" }, "62000000000000010000", true},
	} {
		card, cfg := newSigningCard(t, aipDDA), loaded(t)
		c.change(card, cfg)
		_, r, err := first(t, card, cfg, typing("1234"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sent := ""
		if s := card.sent("88"); len(s) > 0 {
			sent = s[0][10 : len(s[0])-2]
		}
		if sent != c.sent || emv.TVRDDAFailed.In(r.TVR[:]) != c.failed || !emv.TSIODA.In(r.TSI[:]) {
			t.Errorf("%s: sent %s, TVR %X, TSI %X", name, sent, r.TVR, r.TSI)
		}
	}
	for _, answer := range []string{"6985", "6A80", "9000", "7000 9000", "7703 9F3600 9000"} {
		card := newSigningCard(t, aipDDA)
		card.answers[0x88] = answer
		_, _, err := first(t, card, loaded(t), typing("1234"))
		wantReason(t, err, kernel.CardError, true)
	}
	card := newSigningCard(t, aipDDA)
	card.lost = 0x88
	_, _, err := first(t, card, loaded(t), typing("1234"))
	wantReason(t, err, kernel.CardLost, true)
}

// DAC and ICC Dynamic Number are there for a CDOL that asks for them.
func TestAuthenticationLeavesItsResults(t *testing.T) {
	for aip, want := range map[string]string{aipSDA: "DAC10000000000000000F1", aipDDA: "0000D1D2D30000000000F1", aipCDA: "000000000000000000" + "00F1"} {
		card := newSigningCard(t, aip)
		card.records["8C"] = "9F45029F4C089F22019F3704"
		card.certify(card.static())
		if _, _, err := first(t, card, loaded(t), typing("1234")); err != nil {
			t.Fatal(err)
		}
		if got := card.sent("AE")[0]; !strings.HasPrefix(got[10:], want) {
			t.Errorf("AIP %s: GENERATE AC %s, want data %s", aip, got, want)
		}
	}
}

// CDA by the mode of the terminal: which GENERATE AC asks for a signature, and
// the last word (B2 Annex D4).
func TestCombinedModes(t *testing.T) {
	for mode, want := range map[int]string{0: "90 50", 1: "90 50", 2: "90 40", 3: "80 40", 4: "80 50"} {
		card, cfg := newSigningCard(t, aipCDA), loaded(t)
		cfg.CDAMode = mode
		s, r, err := first(t, card, cfg, typing("1234"))
		if err != nil || r.Outcome != nil || tagOf(t, r.DE55, 0x9F26) == "" {
			t.Fatalf("mode %d: %+v, %v", mode, r, err)
		}
		if signed := want[:2] == "90"; (tagOf(t, r.DE55, 0x9F26) == "0102030405060708") != signed || emv.TSIODA.In(r.TSI[:]) != signed {
			t.Errorf("mode %d: %X, TSI %X", mode, r.DE55, r.TSI)
		}
		o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00"})
		if got := strings.Join(card.p1(), " "); got != want || o.Result != kernel.Approved || fmt.Sprintf("%X", o.TVR) != "0000008000" {
			t.Errorf("mode %d: P1 %s, want %s; %+v", mode, got, want, o)
		}
	}
	// A TC without the host is signed in every mode: the first, and that of Y3.
	for mode := 1; mode <= 4; mode++ {
		card, cfg := newSigningCard(t, aipCDA), loaded(t)
		cfg.CDAMode, cfg.Applications[0].TAC, cfg.Applications[0].FloorLimit, card.first = mode, kernel.ActionCodes{}, 99999, emv.TC
		_, r, err := first(t, card, cfg, typing("1234"))
		if err != nil || r.Outcome == nil || r.Outcome.Result != kernel.Approved || strings.Join(card.p1(), " ") != "50" {
			t.Errorf("mode %d, offline: P1 %v, %+v, %v", mode, card.p1(), r, err)
		}
		card = newSigningCard(t, aipCDA)
		cfg.Applications[0].TAC.Online, cfg.Applications[0].FloorLimit = unhex("0000008000"), 1
		s, _, err := first(t, card, cfg, typing("1234"))
		if err != nil {
			t.Fatal(err)
		}
		o := s.Second(context.Background(), kernel.Answer{Route: kernel.Unsent})
		if p1 := card.p1(); o.Result != kernel.Approved || o.ARC != "Y3" || p1[1] != "50" {
			t.Errorf("mode %d, unable: P1 %v, %+v", mode, p1, o)
		}
	}
	cfg := loaded(t)
	cfg.CDAMode = 5
	if err := cfg.Check(); err == nil {
		t.Error("CDA mode 5 was accepted")
	}
}

// A combined signature that is wrong: a TC does not count, an ARQC is followed by
// a request for an AAC, and what the signature says counts over the clear CID
// (B2 6.6.2, B4 6.3.2.1).
func TestTrap14CombinedSignatureThatIsWrong(t *testing.T) {
	tamper := func(b []byte) { b[20] ^= 1 }
	for name, c := range map[string]struct {
		first  emv.Cryptogram
		cid    byte
		tamper func([]byte)
		p1     string
		arc    string
	}{
		"ARQC":                       {emv.ARQC, 0xFF, tamper, "90 00", "Z1"},
		"TC":                         {emv.TC, 0xFF, tamper, "50", "Z1"},
		"ARQC signed, TC in clear":   {emv.ARQC, 0x40, nil, "50 00", "Z1"},
		"TC signed, ARQC in clear":   {emv.TC, 0x80, nil, "50", "Z1"},
		"no signature in the answer": {emv.ARQC, 0xFF, nil, "90", ""},
	} {
		card, cfg := newSigningCard(t, aipCDA), loaded(t)
		card.first, card.cid, card.tamper = c.first, c.cid, c.tamper
		if strings.HasPrefix(c.p1, "50") { // a terminal that would approve by itself
			cfg.Applications[0].TAC, cfg.Applications[0].FloorLimit = kernel.ActionCodes{}, 99999
		}
		if c.arc == "" {
			card.answers[0xAE] = "800B 80 0001 1122334455667788 9000"
			_, _, err := first(t, card, cfg, typing("1234"))
			wantReason(t, err, kernel.CardError, false)
			continue
		}
		_, r, err := first(t, card, cfg, typing("1234"))
		if err != nil || r.Outcome == nil {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		o := r.Outcome
		if got := strings.Join(card.p1(), " "); got != c.p1 || o.Result != kernel.Declined || o.By != kernel.ByTerminal || o.ARC != c.arc ||
			!emv.TVRCDAFailed.In(o.TVR[:]) || !emv.TSIODA.In(o.TSI[:]) || o.Reversal {
			t.Errorf("%s: P1 %s, %+v", name, got, o)
		}
	}
}

// In the second GENERATE AC a wrong signature declines what the issuer approved,
// and a reversal follows.
func TestTrap14SecondCombinedSignatureThatIsWrong(t *testing.T) {
	card := newSigningCard(t, aipCDA)
	s, r, err := first(t, card, loaded(t), typing("1234"))
	if err != nil || r.Outcome != nil {
		t.Fatal(r, err)
	}
	card.tamper = func(b []byte) { b[20] ^= 1 }
	o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00"})
	if o.Result != kernel.Declined || o.By != kernel.ByTerminal || !o.Reversal || !emv.TVRCDAFailed.In(o.TVR[:]) || o.Cryptogram != emv.AAC {
		t.Errorf("%+v", o)
	}
}

// No signature is asked for with an AAC, neither first nor second, and a card
// that answers AAC need not sign.
func TestTrap14NoCombinedSignatureWithAAC(t *testing.T) {
	card, cfg := newSigningCard(t, aipCDA), loaded(t)
	cfg.Applications[0].TAC.Denial = unhex("0000008000")
	_, r, err := first(t, card, cfg, typing("1234"))
	if err != nil || r.Outcome == nil || strings.Join(card.p1(), " ") != "00" || emv.TVRCDAFailed.In(r.TVR[:]) {
		t.Errorf("%+v, %v, P1 %v", r, err, card.p1())
	}
	card = newSigningCard(t, aipCDA)
	card.first = emv.AAC
	_, r, err = first(t, card, loaded(t), typing("1234"))
	if err != nil || r.Outcome == nil || r.Outcome.By != kernel.ByCard || emv.TVRCDAFailed.In(r.TVR[:]) {
		t.Errorf("%+v, %v", r, err)
	}
	card = newSigningCard(t, aipCDA)
	s, _, err := first(t, card, loaded(t), typing("1234"))
	must(t, err)
	if o := s.Second(context.Background(), kernel.Answer{ARC: "05"}); strings.Join(card.p1(), " ") != "90 00" || emv.TVRCDAFailed.In(o.TVR[:]) {
		t.Errorf("P1 %v, %+v", card.p1(), o)
	}
}

// An enciphered PIN goes to the card under its PIN key, or its key for signatures
// when it has no other, with a fresh challenge each time (B2 7). A PIN key whose
// certificate is wrong is not replaced by the other.
func TestTrap17EncipheredPIN(t *testing.T) {
	s := testScheme()
	for name, c := range map[string]struct {
		change func(*signingCard, *kernel.Config)
		key    *issue.Key
		cvm    string
	}{
		"PIN key":       {func(*signingCard, *kernel.Config) {}, s.pin, "040302"},
		"signature key": {func(c *signingCard, _ *kernel.Config) { c.objs["9F2D"], c.objs["9F2E"], c.objs["9F2F"] = "", "", "" }, s.icc, "040302"},
		"method not common": {func(c *signingCard, cfg *kernel.Config) {
			cfg.Capabilities[2], c.objs["9F2D"] = 0, ""
		}, s.icc, "040302"},
		"PIN key wrong": {func(c *signingCard, _ *kernel.Config) { c.objs["9F2D"] = c.objs["9F46"] }, nil, "040301"},
		"no key":        {func(c *signingCard, _ *kernel.Config) { c.objs["9F2D"], c.objs["9F46"] = "", "" }, nil, "040301"},
		"no challenge":  {func(c *signingCard, _ *kernel.Config) { c.answers[0x84] = "6A81" }, nil, "040301"},
		"switched off":  {func(_ *signingCard, cfg *kernel.Config) { cfg.Applications[0].WithoutEncipheredPIN = true }, nil, "3F0001"},
		"no CA keys":    {func(_ *signingCard, cfg *kernel.Config) { cfg.CAKeys = nil }, nil, "3F0001"},
	} {
		card, cfg := newSigningCard(t, aipDDA), loaded(t)
		card.records["8E"] = none + "0403"
		card.certify(card.static())
		card.answers[0x84], card.answers[0x20] = "0011223344556677 9000", "9000"
		c.change(card, cfg)
		_, r, err := first(t, card, cfg, typing("1234"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sent := card.sent("20")
		if fmt.Sprintf("%X", r.CVM.Bytes()) != c.cvm || len(sent) > 0 != (c.key != nil) {
			t.Errorf("%s: CVM %X, sent %v", name, r.CVM.Bytes(), sent)
			continue
		}
		if c.key == nil {
			continue
		}
		block, ok := issue.DecipherPIN(c.key, unhex(sent[0][10:]), unhex("0011223344556677"))
		if !ok || fmt.Sprintf("%X", block) != "241234FFFFFFFFFF" || !strings.HasPrefix(sent[0], "00200088") {
			t.Errorf("%s: VERIFY %s", name, sent[0])
		}
	}
}

// The cardholder is not asked for a PIN that cannot be enciphered, and a random
// that fails ends the transaction.
func TestEncipheredPINIsAskedOnlyWithAKey(t *testing.T) {
	card := newSigningCard(t, aipDDA)
	card.records["8E"], card.objs["9F2D"], card.objs["9F46"] = none+"0403", "", ""
	asked := 0
	ask := kernel.Callbacks{OfflinePIN: func(context.Context, kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
		asked++
		return kernel.PINEntered, secret.New([]byte("1234")), nil
	}}
	if _, _, err := first(t, card, loaded(t), ask); err != nil || asked != 0 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	card = newSigningCard(t, aipDDA)
	card.records["8E"], card.answers[0x84] = none+"0403", "0011223344556677 9000"
	card.certify(card.static())
	s, err := kernel.Select(context.Background(), card, loaded(t), ask)
	must(t, err)
	tx := testTransaction()
	tx.Random = &failing{left: 4}
	_, err = s.First(context.Background(), tx)
	if !errors.Is(err, errNoRandom) || len(card.sent("20")) != 0 {
		t.Errorf("%v, sent %v", err, card.sent("20"))
	}
}

var errNoRandom = errors.New("no randomness")

// failing is a source that ends after some bytes.
type failing struct{ left int }

func (f *failing) Read(p []byte) (int, error) {
	if len(p) > f.left {
		return 0, errNoRandom
	}
	f.left -= len(p)
	return len(p), nil
}

// SDA that is switched off is not told to the card, and not performed.
func TestStaticAuthenticationSwitchedOff(t *testing.T) {
	card, cfg := newSigningCard(t, aipSDA), loaded(t)
	cfg.Applications[0].WithoutSDA = true
	_, r, err := first(t, card, cfg, typing("1234"))
	if err != nil || fmt.Sprintf("%X", r.TVR) != "8000008000" || tagOf(t, r.DE55, 0x9F33)[4:] != "48" {
		t.Errorf("%+v, %v", r, err)
	}
}

// The trace says what was found in words, and nothing of the card.
func TestAuthenticationIsObserved(t *testing.T) {
	var steps []kernel.Step
	ask := typing("1234")
	ask.Observe = func(s kernel.Step) { steps = append(steps, s) }
	card := newSigningCard(t, aipCDA)
	s, _, err := first(t, card, loaded(t), ask)
	must(t, err)
	s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00"})
	found := 0
	for _, step := range steps {
		if step.Name == "offline data authentication" && (step.Decision == "CDA possible" || step.Decision == "CDA succeeded") {
			found++
		}
		if strings.Contains(fmt.Sprint(step), testPAN[:8]) {
			t.Errorf("the step shows the card: %+v", step)
		}
	}
	if found != 3 {
		t.Errorf("%d steps of CDA in %+v", found, steps)
	}
}
