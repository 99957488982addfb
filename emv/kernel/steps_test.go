package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
)

// verify runs a CVM list against a terminal that can do everything but offline
// PIN encipherment, with the PINs typed.
func verify(t *testing.T, card kernel.Card, list string, change func(*kernel.Verification), pins ...string) (kernel.Verified, error) {
	t.Helper()
	ask := typing(pins...)
	ask.OnlinePIN = func(context.Context, *kernel.CardInfo) (kernel.PINStatus, error) {
		if len(pins) == 0 {
			return kernel.PINBypassed, nil
		}
		return kernel.PINEntered, nil
	}
	v := kernel.Verification{List: unhex(list), Amount: 10000, Currency: 840, AppCurrency: 840,
		Capabilities: [3]byte{0xE0, 0xE8, 0xC8}, Card: card, Ask: ask}
	if change != nil {
		change(&v)
	}
	return v.Run(context.Background())
}

func bits(set []emv.Bit) string {
	f := make([]byte, 5)
	for _, b := range set {
		b.Set(f)
	}
	return fmt.Sprintf("%X", f)
}

const none = "0000000000000000 "

func TestTrap15CardholderVerification(t *testing.T) {
	for name, c := range map[string]struct {
		list      string
		change    func(*kernel.Verification)
		pins      []string
		want, tvr string
		signature bool
	}{
		// The condition is tested before the method: a rule that does not apply sets nothing.
		"condition first":           {none + "2001 1F00", nil, nil, "1F0002", "0000000000", false},
		"unknown condition":         {none + "1F0A 1E00", nil, nil, "1E0000", "0000000000", true},
		"fail processing":           {none + "0000 1F00", nil, nil, "000001", "0000800000", false},
		"fail processing, next":     {none + "4000 1F00", nil, nil, "1F0002", "0000000000", false},
		"wrong PIN, then right":     {none + "0100", nil, []string{"9999", "1234"}, "010002", "0000000000", false},
		"wrong PIN to the end":      {none + "0100", nil, []string{"1", "99999", "9998", "9997"}, "", "", false},
		"three wrong PINs":          {none + "0100", nil, []string{"9999", "9998", "9997"}, "010001", "0000A00000", false},
		"three wrong PINs, next":    {none + "4100 1F00", nil, []string{"9999", "9998", "9997"}, "1F0002", "0000200000", false},
		"PIN and signature":         {none + "0300", nil, []string{"1234"}, "030000", "0000000000", true},
		"PIN and signature, bypass": {none + "0300", nil, nil, "030001", "0000880000", false},
		"online PIN bypassed":       {none + "4200 1E00", nil, nil, "1E0000", "0000080000", true},
		"enciphered not supported":  {none + "4400 1F00", nil, []string{"1234"}, "1F0002", "0000100000", false},
		"bypass all": {none + "4100 4200 1F00", func(v *kernel.Verification) { v.BypassAll = true }, nil,
			"1F0002", "0000080000", false},
		// Equal is neither under nor over; without 9F42 no amount condition is satisfied.
		"equal to X":   {"00002710 00000000 1F06 1F07 1E00", nil, nil, "1E0000", "0000000000", true},
		"over Y":       {"00000000 0000270F 1F09", nil, nil, "1F0902", "0000000000", false},
		"under Y":      {"00000000 00002711 1F08", nil, nil, "1F0802", "0000000000", false},
		"no 9F42":      {"00000000 00000001 1F09 1E00", func(v *kernel.Verification) { v.AppCurrency = 0 }, nil, "1E0000", "0000000000", true},
		"manual cash":  {none + "1E04 1F00", func(v *kernel.Verification) { v.Kind = kernel.ManualCash }, nil, "1E0400", "0000000000", true},
		"machine cash": {none + "1E04 1F01", func(v *kernel.Verification) { v.Kind = kernel.UnattendedCash }, nil, "1F0102", "0000000000", false},
		"refund is no cash": {none + "1F02", func(v *kernel.Verification) { v.Kind = kernel.Refund }, nil,
			"1F0202", "0000000000", false},
	} {
		v, err := verify(t, newCard(), c.list, c.change, c.pins...)
		if c.want == "" {
			wantReason(t, err, kernel.Stopped, false) // a PIN of one digit is a mistake of the caller
			continue
		}
		if err != nil || fmt.Sprintf("%X", v.Results.Bytes()) != c.want || bits(v.TVR) != c.tvr ||
			!v.Performed || v.Signature != c.signature {
			t.Errorf("%s: %X %s signature %v, %v", name, v.Results.Bytes(), bits(v.TVR), v.Signature, err)
		}
	}
}

// The PIN Try Counter is read first; at zero no PIN is asked for.
func TestTrap17PINTries(t *testing.T) {
	card := newCard()
	card.tries = 0
	v, err := verify(t, card, none+"0100", nil, "1234")
	if err != nil || bits(v.TVR) != "0000A00000" || len(card.sent("20")) > 0 {
		t.Errorf("%s, %v, sent %v", bits(v.TVR), err, card.sent("20"))
	}
	for sw, tvr := range map[string]string{"6983": "0000A00000", "6984": "0000A00000", "63C0": "0000A00000"} {
		card := newCard()
		card.answers[0x20] = sw
		if v, err := verify(t, card, none+"0100", nil, "1234"); err != nil || bits(v.TVR) != tvr {
			t.Errorf("%s: %s, %v", sw, bits(v.TVR), err)
		}
	}
	card = newCard()
	card.answers[0x20] = "6700"
	_, err = verify(t, card, none+"0100", nil, "1234")
	wantReason(t, err, kernel.CardError, false)
	card = newCard()
	card.answers[0x20] = "63CF" // tries that do not run out
	many := strings.Split(strings.Repeat("9999 ", 100), " ")
	if _, err = verify(t, card, none+"0100", nil, many...); err == nil || len(card.sent("20")) > 16 {
		t.Errorf("%v after %d VERIFY", err, len(card.sent("20")))
	}
}

// The prompt tells the tries that are left, and the PIN is wiped after use.
func TestPINPromptAndWipe(t *testing.T) {
	var prompts []kernel.PINPrompt
	pin := secret.New([]byte("123456789012"))
	card := newCard()
	card.tries, card.pin = 2, "5555"
	v := kernel.Verification{List: unhex(none + "0100"), Capabilities: [3]byte{0, 0x80, 0}, Card: card, Ask: kernel.Callbacks{
		OfflinePIN: func(_ context.Context, p kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
			prompts = append(prompts, p)
			if len(prompts) > 1 {
				return kernel.PINPadFault, secret.Secret{}, nil
			}
			return kernel.PINEntered, pin, nil
		},
	}}
	got, err := v.Run(context.Background())
	want := []kernel.PINPrompt{{TriesLeft: 2}, {TriesLeft: 1, LastTry: true, Retry: true}}
	if err != nil || fmt.Sprint(prompts) != fmt.Sprint(want) || bits(got.TVR) != "0000900000" {
		t.Errorf("%v, %s, %v", prompts, bits(got.TVR), err)
	}
	if !pin.IsZero() {
		t.Error("the PIN was not wiped")
	}
	if s := card.sent("20"); s[0] != "00200080082C123456789012FF" {
		t.Errorf("VERIFY %s", s[0])
	}
}

// The command that carried a PIN is wiped when it has been sent.
func TestVerifyCommandIsWiped(t *testing.T) {
	var sent []byte
	card := cardFunc(func(_ context.Context, capdu []byte) ([]byte, error) {
		if capdu[1] == 0x20 {
			sent = capdu
			return unhex("9000"), nil
		}
		return unhex("6A88"), nil
	})
	if _, err := verify(t, card, none+"0100", nil, "1234"); err != nil || len(sent) != 13 || strings.Trim(string(sent), "\x00") != "" {
		t.Errorf("%X, %v", sent, err)
	}
}

// Without CVM support in the AIP nothing is performed; without a list data are missing.
func TestTrap15VerificationNotPerformed(t *testing.T) {
	card := newCard()
	card.aip = "0C00"
	_, r := online(t, card, typing("1234"))
	if fmt.Sprintf("%X %X", r.CVM.Bytes(), r.TSI) != "3F0000 2800" || len(card.sent("20")) > 0 {
		t.Errorf("%X %X", r.CVM.Bytes(), r.TSI)
	}
	card = newCard()
	card.records["8E"] = ""
	_, r = online(t, card, typing("1234"))
	if fmt.Sprintf("%X %X", r.CVM.Bytes(), r.TSI) != "3F0000 2800" || !emv.TVRICCDataMissing.In(r.TVR[:]) {
		t.Errorf("%X %X %X", r.CVM.Bytes(), r.TSI, r.TVR)
	}
}

// A PIN for the issuer sets B3b3, and the result is unknown (B3 10.5.2).
func TestOnlinePIN(t *testing.T) {
	card := newCard()
	card.records["8E"] = none + "0203"
	ask := kernel.Callbacks{OnlinePIN: func(_ context.Context, c *kernel.CardInfo) (kernel.PINStatus, error) {
		if string(c.PAN.Expose()) != testPAN {
			t.Error("no PAN for the PIN block")
		}
		return kernel.PINEntered, nil
	}}
	_, r := online(t, card, ask)
	if fmt.Sprintf("%X", r.CVM.Bytes()) != "020300" || !emv.TVROnlinePIN.In(r.TVR[:]) {
		t.Errorf("%X %X", r.CVM.Bytes(), r.TVR)
	}
}

// Capabilities that nobody can perform are not told to the card.
func TestCapabilitiesAreTrue(t *testing.T) {
	_, r := online(t, newCard(), kernel.Callbacks{})
	if got := tagOf(t, r.DE55, 0x9F33); got != "E02800" {
		t.Errorf("9F33 %s", got)
	}
	cfg := testConfig()
	cfg.Applications[0].WithoutPlaintextPIN = true
	_, r, err := run(t, newCard(), cfg, typing("1234"), testTransaction())
	if err != nil || tagOf(t, r.DE55, 0x9F33) != "E02800" {
		t.Errorf("9F33 %X, %v", r.DE55, err)
	}
}

type fixed byte

func (f fixed) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

// Selection is biased between threshold and floor limit; at the limit it ends.
func TestRandomSelection(t *testing.T) {
	for name, c := range map[string]struct {
		amount int64
		draw   byte // 0 to 98 are the numbers 1 to 99
		want   string
	}{
		"below, hit":         {100, 9, "0000001000"},
		"below, miss":        {100, 10, "0000000000"},
		"half way, hit":      {3000, 49, "0000001000"},
		"half way, miss":     {3000, 50, "0000000000"},
		"near the limit":     {4999, 88, "0000001000"},
		"at the limit":       {5000, 0, "0000008000"},
		"above 98 wraps":     {100, 99, "0000001000"},
		"at the threshold":   {1000, 10, "0000000000"},
		"threshold, just in": {1000, 9, "0000001000"},
	} {
		r := kernel.Risk{Card: newCard(), Tags: &emv.Data{}, Amount: c.amount, Floor: 5000,
			Threshold: 1000, Target: 10, Max: 90, Random: fixed(c.draw)}
		if got, err := r.Run(context.Background()); err != nil || bits(got) != c.want {
			t.Errorf("%s: %s, %v", name, bits(got), err)
		}
	}
	r := kernel.Risk{Card: newCard(), Tags: &emv.Data{}, Floor: 1, Random: fixed(255)}
	if _, err := r.Run(context.Background()); err == nil {
		t.Error("a source that repeats itself is taken")
	}
	r.Random = strings.NewReader("")
	if _, err := r.Run(context.Background()); err == nil {
		t.Error("a source that ends is taken")
	}
}

// Velocity: counters missing or in disorder set both bits; 9F13 of zero is a new card.
func TestTrap18Velocity(t *testing.T) {
	for name, c := range map[string]struct{ atc, last, want string }{
		"within":       {"0004", "0002", "0000000000"},
		"over lower":   {"0005", "0002", "0000004000"},
		"over both":    {"0009", "0002", "0000006000"},
		"ATC missing":  {"", "0002", "0000006000"},
		"last missing": {"0005", "", "0000006000"},
		"equal":        {"0005", "0005", "0000006000"},
		"ATC behind":   {"0004", "0005", "0000006000"},
		"new card":     {"0001", "0000", "0008000000"},
		"new, no ATC":  {"", "0000", "0008006000"},
		"three bytes":  {"000005", "0002", "0000006000"},
	} {
		var tags emv.Data
		tags.Set(emv.TagLowerOfflineLimit, []byte{2})
		tags.Set(emv.TagUpperOfflineLimit, []byte{6})
		card := newCard()
		if c.atc != "" {
			card.dataTags[emv.TagATC] = c.atc
		}
		if c.last != "" {
			card.dataTags[emv.TagLastOnlineATC] = c.last
		}
		got, err := kernel.Risk{Card: card, Tags: &tags, Floor: 1}.Run(context.Background())
		if err != nil || bits(got) != c.want {
			t.Errorf("%s: %s, %v", name, bits(got), err)
		}
	}
}

// Absent issuer codes are ones for online and default and zeros for denial;
// absent terminal codes are zeros (B3 10.7).
func TestTrap19ActionCodeDefaults(t *testing.T) {
	tvr := [5]byte{0x80}
	zero := kernel.ActionCodes{Denial: make([]byte, 5), Online: make([]byte, 5), Default: make([]byte, 5)}
	for name, c := range map[string]struct {
		issuer     kernel.ActionCodes
		connection emv.Connection
		unable     bool
		want       emv.Cryptogram
		arc        string
	}{
		"absent online":            {kernel.ActionCodes{}, emv.OfflineWithOnline, false, emv.ARQC, ""},
		"absent default":           {kernel.ActionCodes{}, emv.OfflineWithOnline, true, emv.AAC, "Z3"},
		"absent default, offline":  {kernel.ActionCodes{}, emv.OfflineOnly, false, emv.AAC, "Z1"},
		"zeros":                    {zero, emv.OfflineWithOnline, false, emv.TC, "Y1"},
		"zeros, unable":            {zero, emv.OfflineWithOnline, true, emv.TC, "Y3"},
		"online only, unable":      {zero, emv.OnlineOnly, true, emv.AAC, "Z3"},
		"online only, nothing hit": {zero, emv.OnlineOnly, false, emv.ARQC, ""},
	} {
		d := kernel.Analyze(tvr, c.issuer, kernel.ActionCodes{}, c.connection, c.unable)
		if d.Cryptogram != c.want || d.ARC != c.arc || d.Why == "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// The caller's word and lists set bits; an error of a callback ends it all.
func TestCardReadPause(t *testing.T) {
	card := newCard()
	_, r := online(t, card, kernel.Callbacks{
		CardRead: func(_ context.Context, c *kernel.CardInfo, tx *kernel.Transaction) error {
			if c.Expiry != "301231" || c.Label != "CARD" || c.IssuerCountry != 840 || c.Track2.Len() != 17 {
				t.Errorf("%+v", c)
			}
			tx.Amount, tx.Currency, tx.ForceOnline = 777, 978, true
			return nil
		},
		Blocked:    func(*kernel.CardInfo) bool { return true },
		LastAmount: func(*kernel.CardInfo) int64 { return 4999 },
	})
	if tagOf(t, r.DE55, 0x9F02) != "000000000777" || tagOf(t, r.DE55, 0x5F2A) != "0978" ||
		fmt.Sprintf("%X", r.TVR) != "9000008800" {
		t.Errorf("%X, TVR %X", r.DE55, r.TVR)
	}
	stop := errors.New("the till gave up")
	_, _, err := run(t, newCard(), testConfig(), kernel.Callbacks{
		CardRead: func(context.Context, *kernel.CardInfo, *kernel.Transaction) error { return stop },
	}, testTransaction())
	wantReason(t, err, kernel.Stopped, false)
	if !errors.Is(err, stop) {
		t.Errorf("%v hides the reason", err)
	}
}
