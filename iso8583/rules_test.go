package iso8583_test

import (
	"strings"
	"testing"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// A breakage changes a good message in one way.
type breakage struct {
	name   string
	from   string // name of the sample
	change func(m *iso8583.Message, p *iso8583.Private)
	de     int
	tag    byte
	code   string
}

func breakages() []breakage {
	aes, tdes := unhex(sampleKSN), unhex("FFFF9876543210E00001")
	return []breakage{
		{"zero STAN", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(11, "000000") }, 11, 0, "30"},
		{"month 13", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(7, "1301000000") }, 7, 0, "30"},
		{"hour 24", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(12, "240000") }, 12, 0, "30"},
		{"30 February", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(13, "0230") }, 13, 0, "30"},
		{"amount zero", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetNumber(4, 0) }, 4, 0, "13"},
		{"pre-authorization without amount", "pre-authorization", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(4); m.Clear(49) }, 4, 0, "30"},
		{"amount without currency", "pre-authorization", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(49) }, 49, 0, "30"},
		{"balance inquiry with amount", "balance inquiry", func(m *iso8583.Message, _ *iso8583.Private) { m.SetAmount(iso8583.Amount{Minor: 1, Currency: 978}) }, 4, 0, "30"},
		{"unknown entry mode", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(22, "991") }, 22, 0, "30"},
		{"unknown PIN capability", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(22, "057") }, 22, 0, "30"},
		{"PIN of 13 digits", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(26, "13") }, 26, 0, "30"},
		{"unknown processing code", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(3, "770000") }, 3, 0, "12"},
		{"unknown condition", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(25, "99") }, 3, 0, "12"},
		{"void without RRN", "void", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(37) }, 37, 0, "30"},
		{"void without original", "void", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(90); moveMAC(m) }, 90, 0, "30"},
		{"purchase with original", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetText(37, "000000000001") }, 37, 0, "30"},
		{"original is an answer", "void", func(m *iso8583.Message, _ *iso8583.Private) {
			m.SetOriginal(iso8583.Original{MTI: iso8583.FinancialAnswer, STAN: "000001", Transmitted: "0101000000"})
		}, 90, 0, "30"},
		{"original with STAN zero", "void", func(m *iso8583.Message, _ *iso8583.Private) {
			m.SetOriginal(iso8583.Original{MTI: iso8583.FinancialRequest, STAN: "000000", Transmitted: "0101000000"})
		}, 90, 0, "30"},
		{"reversal of an echo", "reversal", func(m *iso8583.Message, _ *iso8583.Private) {
			m.SetOriginal(iso8583.Original{MTI: iso8583.NetworkRequest, STAN: "000001", Transmitted: "0101000000"})
		}, 3, 0, "12"},
		{"more remains than was paid", "partial reversal", func(m *iso8583.Message, _ *iso8583.Private) { m.SetReplacement(1234) }, 95, 0, "30"},
		{"nothing remains", "partial reversal", func(m *iso8583.Message, _ *iso8583.Private) { m.SetReplacement(0) }, 95, 0, "30"},
		{"cashback without DE 54", "purchase with cashback", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(54) }, 54, 0, "30"},
		{"DE 54 of half an entry", "purchase with cashback", func(m *iso8583.Message, _ *iso8583.Private) { m.SetText(54, "0040978D00") }, 54, 0, "30"},
		{"cashback above the amount", "purchase with cashback", func(m *iso8583.Message, _ *iso8583.Private) { m.SetNumber(4, 499) }, 54, 0, "30"},
		{"cashback in another currency", "purchase with cashback", func(m *iso8583.Message, _ *iso8583.Private) { m.SetText(54, "0040840D000000000500") }, 54, 0, "30"},
		{"DE 54 cut short", "balance inquiry answer", func(m *iso8583.Message, _ *iso8583.Private) {
			m.SetText(54, strings.Repeat("0002978C000000000500", 6))
			m.SetText(54, m.Text(54)[:119])
		}, 54, 0, "30"},
		{"no card in an advice", "offline advice: purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.CardData, p.DataKSN = iso8583.CardData{}, nil }, 63, 0x06, "30"},
		{"chip data of a keyed advice", "offline advice: purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(22, "011") }, 55, 0, "30"},
		{"chunk and checkpoint", "901 answer", func(_ *iso8583.Message, p *iso8583.Private) {
			p.Chunk.Data, p.Checkpoint = p.Chunk.Data[:10], checkpoint()
		}, 63, 0x14, "30"},
		{"no card", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.CardData, p.DataKSN = iso8583.CardData{}, nil }, 63, 0x06, "30"},
		{"card data without KSN", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.DataKSN = nil }, 63, 0x05, "30"},
		{"AES IV with a TDES KSN", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.DataKSN = tdes }, 63, 0x06, "30"},
		{"card and token", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.Token = "ABCDEFGHIJKLMNOP" }, 63, 0x13, "30"},
		{"no token", "purchase by token", func(_ *iso8583.Message, p *iso8583.Private) { p.Token = "" }, 63, 0x13, "30"},
		{"token purchase keyed", "purchase by token", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(22, "010") }, 22, 0, "30"},
		{"two PIN blocks", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetBytes(52, make([]byte, 8)) }, 63, 0x07, "30"},
		{"PIN without KSN", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.PINKSN = nil }, 63, 0x04, "30"},
		{"KSN without PIN", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.PINBlock = secret.Secret{} }, 63, 0x04, "30"},
		{"AES PIN under a TDES KSN", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.PINKSN = tdes }, 63, 0x04, "30"},
		{"8-byte PIN under an AES KSN", "purchase", func(m *iso8583.Message, p *iso8583.Private) {
			p.PINBlock = secret.Secret{}
			m.SetBytes(52, make([]byte, 8))
		}, 63, 0x04, "30"},
		{"no chip data", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(55) }, 55, 0, "30"},
		{"chip data of a keyed card", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(22, "011") }, 55, 0, "30"},
		{"malformed chip data", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetBytes(55, unhex("9F0206")) }, 55, 0, "30"},
		{"filler only", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetBytes(55, unhex("0000")) }, 55, 0, "30"},
		{"a chip tag twice", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.SetBytes(55, unhex("9C01009C0100")) }, 55, 0, "30"},
		{"an echoed DE 55", "purchase answer", func(m *iso8583.Message, _ *iso8583.Private) { m.SetBytes(55, sampleChip) }, 55, 0, "30"},
		{"approval without code", "purchase answer", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(38) }, 38, 0, "30"},
		{"unknown DE 70", "001", func(m *iso8583.Message, _ *iso8583.Private) { m.SetDigits(70, "777") }, 70, 0, "40"},
		{"sign-on without version", "001", func(_ *iso8583.Message, p *iso8583.Private) { p.Software = "" }, 63, 0x10, "30"},
		{"version in a key exchange", "101", func(_ *iso8583.Message, p *iso8583.Private) { p.Software = "1" }, 63, 0x10, "30"},
		{"download of nothing", "901", func(_ *iso8583.Message, p *iso8583.Private) { p.Request = nil }, 63, 0x0E, "30"},
		{"no chunk", "901 answer", func(_ *iso8583.Message, p *iso8583.Private) { p.Chunk = nil }, 63, 0x0F, "30"},
		{"no key", "101 answer", func(_ *iso8583.Message, p *iso8583.Private) { p.KeyBlock, p.KCV = "", nil }, 63, 0x0B, "30"},
		{"key without check value", "101 answer", func(_ *iso8583.Message, p *iso8583.Private) { p.KCV = nil }, 63, 0x0C, "30"},
		{"sign-on without DE 63", "001", func(m *iso8583.Message, p *iso8583.Private) { *p = iso8583.Private{} }, 63, 0x03, "30"},
		{"no MAC", "purchase", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(64) }, 64, 0, "30"},
		{"no MAC in the second bitmap", "void", func(m *iso8583.Message, _ *iso8583.Private) { m.Clear(128) }, 128, 0, "30"},
		{"two MACs", "void", func(m *iso8583.Message, _ *iso8583.Private) { m.SetBytes(64, make([]byte, 8)) }, 64, 0, "30"},
		{"echo with MAC", "301", func(m *iso8583.Message, _ *iso8583.Private) { m.SetBytes(128, make([]byte, 8)) }, 128, 0, "30"},
		{"echo with a KSN", "301", func(_ *iso8583.Message, p *iso8583.Private) { p.MACKSN = aes }, 63, 0x03, "30"},
		{"MAC without KSN", "purchase", func(_ *iso8583.Message, p *iso8583.Private) { p.MACKSN = nil }, 63, 0x03, "30"},
		{"final chip data with a PAN", "purchase", func(_ *iso8583.Message, p *iso8583.Private) {
			p.FinalChipData = ber.Append(nil, 0x5A, unhex("5413330089010434"))
		}, 63, 0x0A, "30"},
	}
}

// moveMAC puts the MAC where it belongs after the last element of the second
// bitmap has gone.
func moveMAC(m *iso8583.Message) {
	m.SetBytes(64, m.Bytes(128))
	m.Clear(128)
}

func TestRules(t *testing.T) {
	byName := map[string]sample{}
	for _, s := range samples(t) {
		byName[s.name] = s
	}
	for _, b := range breakages() {
		s, ok := byName[b.from]
		if !ok {
			t.Fatalf("no sample %q", b.from)
		}
		m := unpacked(t, s.raw)
		p, err := m.Private()
		if err != nil {
			t.Fatal(err)
		}
		b.change(m, &p)
		m.SetPrivate(p)
		if err := m.Err(); err != nil {
			t.Fatalf("%s: %v", b.name, err)
		}
		wantRule(t, b.name, iso8583.Validate(m, s.dir), b.de, b.tag, b.code)
	}
}

// TestForbiddenChipTags puts card data in clear into DE 55, at the top and
// inside a template.
func TestForbiddenChipTags(t *testing.T) {
	forbidden := iso8583.ForbiddenChipTags()
	if len(forbidden) != 8 {
		t.Errorf("%d forbidden tags, want 8", len(forbidden))
	}
	for _, s := range samples(t) {
		m := unpacked(t, s.raw)
		if s.dir != iso8583.ToHost || !m.Has(55) {
			continue
		}
		for _, tag := range forbidden {
			one := ber.Append(nil, tag, []byte{1})
			for _, chip := range [][]byte{append(m.Bytes(55), one...), ber.Append(nil, 0x70, one)} {
				c := m.Clone()
				c.SetBytes(55, chip)
				wantRule(t, s.name, iso8583.Validate(c, s.dir), 55, 0, "30")
			}
		}
	}
}

// TestWrongDirection: a message type of the other side, or of none, gets no
// answer at all.
func TestWrongDirection(t *testing.T) {
	for _, s := range samples(t) {
		wrong := iso8583.ToHost + iso8583.ToTerminal - s.dir
		wantRule(t, s.name, iso8583.Validate(unpacked(t, s.raw), wrong), 0, 0, "")
	}
	for _, mti := range []iso8583.MTI{0, 0x0200 + 2, 0x9200, 0x0501, 0x0801} {
		wantRule(t, mti.String(), iso8583.Validate(iso8583.New(mti), iso8583.ToHost), 0, 0, "")
	}
}

// TestScriptsMayRepeat: an answer may hold several scripts, but issuer
// authentication data only once.
func TestScriptsMayRepeat(t *testing.T) {
	m := unpacked(t, samples(t)[1].raw)
	script := ber.Append(nil, 0x72, ber.Append(nil, 0x86, unhex("8424000008")))
	two := append(append([]byte{}, script...), script...)
	m.SetBytes(55, append(ber.Append(nil, 0x91, make([]byte, 10)), two...))
	if err := iso8583.Validate(m, iso8583.ToTerminal); err != nil {
		t.Errorf("two scripts: %v", err)
	}
	m.SetBytes(55, append(ber.Append(nil, 0x91, make([]byte, 10)), ber.Append(nil, 0x91, make([]byte, 10))...))
	wantRule(t, "two answers to the card", iso8583.Validate(m, iso8583.ToTerminal), 55, 0, "30")
}

// TestRefusalsCanBeTaken: the refusal of a request whose values are bad echoes
// them, and is a good answer all the same; an approval of nothing is none.
func TestRefusalsCanBeTaken(t *testing.T) {
	for name, spoil := range map[string]func(m *iso8583.Message){
		"amount zero": func(m *iso8583.Message) { m.SetNumber(4, 0) },
		"month 13":    func(m *iso8583.Message) { m.SetDigits(7, "1301000000") },
		"hour 24":     func(m *iso8583.Message) { m.SetDigits(12, "240000") },
		"30 February": func(m *iso8583.Message) { m.SetDigits(13, "0230") },
	} {
		req := unpacked(t, samples(t)[0].raw)
		spoil(req)
		code := iso8583.RefusalCode(iso8583.Validate(req, iso8583.ToHost))
		if code == "" {
			t.Fatalf("%s: the request is not refused", name)
		}
		ans := answerTo(t, req, code)
		if err := iso8583.Matches(req, ans); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := iso8583.Validate(ans, iso8583.ToTerminal); err != nil {
			t.Errorf("%s: the refusal %s is refused: %v", name, code, err)
		}
		if name == "amount zero" {
			for _, approval := range []string{"00", "10"} {
				wantRule(t, name, iso8583.Validate(answerTo(t, req, approval), iso8583.ToTerminal), 4, 0, "13")
			}
		}
	}
}

// answerTo is a sealed answer.
func answerTo(t *testing.T, req *iso8583.Message, code string) *iso8583.Message {
	t.Helper()
	a, err := iso8583.Answer(req, code)
	if err != nil {
		t.Fatal(err)
	}
	a.SetText(37, "000000000042")
	if code == "00" || code == "10" {
		a.SetText(38, "A1B2C3")
	}
	raw, err := iso8583.SealMAC(a, sampleMAC(sampleAnswerKey))
	if err != nil {
		t.Fatal(err)
	}
	return unpacked(t, raw)
}
