package iso8583_test

import (
	"bytes"
	"errors"
	"testing"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
)

// TestIdentifyBadMessages: a message that cannot be read as a whole is still
// answered when MTI, DE 11 and DE 41 are readable, and only then.
func TestIdentifyBadMessages(t *testing.T) {
	good := unpacked(t, samples(t)[0].raw)
	withPAN := good.Clone()
	withPAN.SetDigits(2, "5413330089010434")
	pan, err := iso8583.Pack(withPAN)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text []byte) int { return bytes.Index(good.Raw(), text) }
	badAmount := bytes.Clone(good.Raw())
	badAmount[at([]byte{0, 0, 0, 0, 0x12, 0x34})] = 0xAA
	badSTAN := bytes.Clone(good.Raw())
	badSTAN[at([]byte{0x00, 0x12, 0x34, 0x14})] = 0xAA
	badTerminal := bytes.Clone(good.Raw())
	badTerminal[at([]byte("TERM"))] = 0x07
	end := at([]byte("TERM0001")) + 8
	for name, c := range map[string]struct {
		raw  []byte
		want bool
	}{
		"clear PAN": {pan, true}, "bad amount": {badAmount, true}, "cut after DE 41": {good.Raw()[:end], true},
		"trailing byte": {append(bytes.Clone(good.Raw()), 0), true},
		"bad STAN":      {badSTAN, false}, "bad terminal": {badTerminal, false}, "cut within DE 41": {good.Raw()[:end-1], false}, "empty": {nil, false},
		"no STAN": {unhex("0200" + "0000000000800000" + "5445524D30303031"), false}, "no terminal": {unhex("0200" + "0020000000000000" + "000001"), false},
		"blank terminal": {unhex("0200" + "0020000000800000" + "000001" + "2020202020202020"), false},
		"third bitmap":   {unhex("0200" + "8020000000800000" + "8000000000000001" + "000001" + "5445524D30303031"), false},
	} {
		id, ok := iso8583.Identify(c.raw)
		if ok != c.want {
			t.Errorf("%s: Identify gives %v", name, ok)
			continue
		}
		if !ok {
			continue
		}
		if id != (iso8583.Identity{MTI: iso8583.FinancialRequest, STAN: "001234", Terminal: "TERM0001"}) {
			t.Errorf("%s: %+v", name, id)
		}
		a, ok := iso8583.Refusal(id, "30")
		if !ok || a.MTI() != iso8583.FinancialAnswer || a.STAN() != id.STAN || a.Terminal() != id.Terminal || a.ResponseCode() != "30" {
			t.Errorf("%s: refused with %v", name, a)
		}
	}
	if _, ok := iso8583.Refusal(iso8583.Identity{MTI: iso8583.FinancialAnswer, STAN: "000001", Terminal: "T"}, "30"); ok {
		t.Error("an answer was answered")
	}
}

func TestUnpackErrors(t *testing.T) {
	m := unpacked(t, samples(t)[0].raw)
	raw := bytes.Clone(m.Raw())
	raw[bytes.Index(raw, []byte{0, 0, 0, 0, 0x12, 0x34})+1] = 0x0A
	err := m.Unpack(raw)
	fe, ok := errors.AsType[*iso8583.FieldError](err)
	if !ok || fe.DE != 4 || fe.Offset != 13 || fe.Error() != "iso8583: DE 4 at byte 13: a nibble is not a decimal digit" {
		t.Errorf("Unpack: %v", err)
	}
	if m.Has(11) || m.MTI() != 0 || m.Raw() != nil {
		t.Error("the message is not empty after an error")
	}
	if _, err := iso8583.Unpack(make([]byte, iso8583.MaxMessage+1)); err == nil {
		t.Error("an oversized message was accepted")
	}
}

func TestUnpackCopies(t *testing.T) {
	in := bytes.Clone(samples(t)[0].raw)
	m := unpacked(t, in)
	clear(in)
	if m.STAN() != "001234" {
		t.Error("the message lies in the caller's memory")
	}
	c := m.Clone()
	c.SetDigits(11, "000999")
	if m.STAN() != "001234" || c.STAN() != "000999" {
		t.Error("a clone is not independent")
	}
}

// TestCloneIsIndependent: what is set in a message never shows in its copies.
func TestCloneIsIndependent(t *testing.T) {
	m := iso8583.New(iso8583.FinancialRequest)
	m.SetText(41, "TERM0001")
	m.SetDigits(3, "000000") // leaves room in the memory of m
	c := m.Clone()
	c.SetDigits(11, "000001")
	m.SetDigits(11, "000002")
	if c.STAN() != "000001" || m.STAN() != "000002" {
		t.Errorf("STANs %s and %s", c.STAN(), m.STAN())
	}
	r, ok := unpacked(t, samples(t)[0].raw).AsRepeat()
	if !ok || r.Raw() != nil {
		t.Error("a repeat claims to have been received")
	}
}

func TestMatchKey(t *testing.T) {
	for _, s := range samples(t) {
		m := unpacked(t, s.raw)
		k := m.MatchKey()
		if k.Flow != m.MTI().Request() || string(bytes.TrimRight(k.Terminal[:], " ")) != m.Terminal() {
			t.Errorf("%s: %+v", s.name, k)
		}
	}
	all := samples(t)
	sale, answer, repeat := unpacked(t, all[0].raw), unpacked(t, all[1].raw), unpacked(t, all[2].raw)
	if sale.MatchKey() != answer.MatchKey() || sale.MatchKey() != repeat.MatchKey() {
		t.Error("request, answer and repeat do not match")
	}
	for name, change := range map[string]func(*iso8583.Message){
		"STAN": func(m *iso8583.Message) { m.SetDigits(11, "001235") }, "terminal": func(m *iso8583.Message) { m.SetText(41, "TERM0002") },
	} {
		o := answer.Clone()
		change(o)
		if o.MatchKey() == sale.MatchKey() {
			t.Errorf("another %s matches", name)
		}
	}
}

// TestDigest: each of the compared values changes the digest, nothing else does.
func TestDigest(t *testing.T) {
	base := unpacked(t, samples(t)[0].raw)
	want := base.Digest([]byte("token"))
	nodes, err := ber.Parse(base.Bytes(55), ber.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	chip := func(tag uint32) []byte {
		var b []byte
		for _, n := range nodes {
			v := bytes.Clone(n.Value)
			if n.Tag == tag {
				v[0] ^= 1
			}
			b = ber.Append(b, n.Tag, v)
		}
		return b
	}
	for name, c := range map[string]struct {
		change func(*iso8583.Message)
		same   bool
	}{
		"DE 3":  {func(m *iso8583.Message) { m.SetDigits(3, "010000") }, false},
		"DE 4":  {func(m *iso8583.Message) { m.SetNumber(4, 1235) }, false},
		"DE 22": {func(m *iso8583.Message) { m.SetDigits(22, "071") }, false},
		"DE 49": {func(m *iso8583.Message) { m.SetDigits(49, "840") }, false},
		"DE 90": {func(m *iso8583.Message) { m.SetOriginal(iso8583.OriginalOf(base)) }, false},
		"DE 95": {func(m *iso8583.Message) { m.SetReplacement(1) }, false},
		"9F26":  {func(m *iso8583.Message) { m.SetBytes(55, chip(0x9F26)) }, false},
		"9F36":  {func(m *iso8583.Message) { m.SetBytes(55, chip(0x9F36)) }, false},
		"9F37":  {func(m *iso8583.Message) { m.SetBytes(55, chip(0x9F37)) }, true},
		"DE 7":  {func(m *iso8583.Message) { m.SetDigits(7, "0101000000") }, true},
		"DE 63": {func(m *iso8583.Message) { m.SetPrivate(iso8583.Private{MACKSN: unhex(sampleKSN)}) }, true},
		"DE 64": {func(m *iso8583.Message) { m.SetBytes(64, make([]byte, 8)) }, true},
	} {
		m := base.Clone()
		c.change(m)
		if got := m.Digest([]byte("token")) == want; got != c.same {
			t.Errorf("%s: same digest: %v", name, got)
		}
	}
	if base.Digest([]byte("other")) == want || base.Digest() == want || base.Digest(nil) == base.Digest([]byte{}) {
		t.Error("the caller's values do not count")
	}
}
