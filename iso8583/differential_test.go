//go:build !(386 || arm || mips || mipsle)

package iso8583_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
	"pgregory.net/rapid"

	"tallystick.example/internal/pure/bcd"
	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// plainBCD is moov's BCD encoder without its tables: same bytes, faster.
type plainBCD struct{}

func (plainBCD) Encode(digits []byte) ([]byte, error) { return bcd.Append(nil, digits) }

func (plainBCD) Decode(src []byte, length int) ([]byte, int, error) {
	n := bcd.Size(length)
	if length < 0 || len(src) < n {
		return nil, 0, errors.New("not enough data")
	}
	out, err := bcd.AppendDigits(nil, src[:n], length)
	return out, n, err
}

// plainPrefix is moov's BCD length prefix without its tables.
type plainPrefix struct{ digits int }

func (p plainPrefix) EncodeLength(maxLen, dataLen int) ([]byte, error) {
	if dataLen > maxLen {
		return nil, errors.New("too long")
	}
	return bcd.AppendUint(nil, uint64(dataLen), bcd.Size(p.digits))
}

func (p plainPrefix) DecodeLength(maxLen int, data []byte) (int, int, error) {
	n := bcd.Size(p.digits)
	if len(data) < n {
		return 0, 0, errors.New("not enough data")
	}
	v, err := bcd.Uint(data[:n])
	if err != nil || int(v) > maxLen {
		return 0, 0, errors.New("bad length")
	}
	return int(v), n, nil
}

func (p plainPrefix) Inspect() string { return "BCD." + strings.Repeat("L", p.digits) }

// plainSpec is Spec with the plain BCD encoder and prefixes.
func plainSpec() *moov.MessageSpec {
	s := iso8583.Spec()
	for _, f := range s.Fields {
		fs := f.Spec()
		if fs.Enc == encoding.BCD {
			fs.Enc = plainBCD{}
		}
		switch fs.Pref {
		case prefix.BCD.LL:
			fs.Pref = plainPrefix{2}
		case prefix.BCD.LLL:
			fs.Pref = plainPrefix{3}
		}
	}
	return s
}

// stricter lists why our codec refuses what moov's accepts, with the rule of
// docs/codec.md that has the clause.
var stricter = map[string]string{
	codec.ReasonTrailing:   "trailing",
	codec.ReasonFiller:     "bcd-filler",
	codec.ReasonChar:       "alphabet",
	codec.ReasonManyMaps:   "bitmaps",
	codec.ReasonEmptyMap:   "empty-bitmap",
	codec.ReasonLengthZero: "empty",
	codec.ReasonTooLong:    "size",
}

// agree compares our codec with moov's on the same bytes.
func agree(spec *moov.MessageSpec, raw []byte) error {
	m, err := iso8583.Unpack(raw)
	theirs := moov.NewMessage(spec)
	moovErr := theirs.Unpack(raw)
	if err != nil {
		fe, ok := errors.AsType[*iso8583.FieldError](err)
		if !ok {
			return fmt.Errorf("Unpack gave an error of type %T", err)
		}
		if moovErr == nil && stricter[fe.Reason] == "" {
			return fmt.Errorf("only we refuse it: %w", err)
		}
		return nil
	}
	if moovErr != nil {
		return fmt.Errorf("only moov refuses it: %w", moovErr)
	}
	for _, e := range iso8583.Elements() {
		if err := sameElement(m, theirs, e); err != nil {
			return err
		}
	}
	out, err := theirs.Pack()
	if err != nil || !bytes.Equal(out, raw) {
		return fmt.Errorf("moov packs %X, %v", out, err)
	}
	if out, err = iso8583.Pack(m); err != nil || !bytes.Equal(out, raw) {
		return fmt.Errorf("we pack %X, %v", out, err)
	}
	return nil
}

func sameElement(m *iso8583.Message, theirs *moov.Message, e iso8583.Element) error {
	f := theirs.GetField(e.DE)
	if m.Has(e.DE) != (f != nil) {
		return fmt.Errorf("DE %d: presence differs", e.DE)
	}
	if f == nil {
		return nil
	}
	want, err := f.Bytes()
	if err != nil {
		return err
	}
	got := []byte(m.Digits(e.DE) + m.Text(e.DE) + string(m.Bytes(e.DE)))
	if _, ok := f.(*field.String); ok && e.Prefix == 0 {
		want = bytes.TrimRight(want, " ")
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("DE %d: the values differ", e.DE)
	}
	return nil
}

// TestStricter has one message for each reason of that list: we refuse it for
// this reason, moov's codec accepts it.
func TestStricter(t *testing.T) {
	// DE 46, 47, 48, 57 and 58 of 999 characters each.
	long := unhex("0200" + "00000000000700C0" + strings.Repeat("0999"+strings.Repeat("20", 999), 5))
	doc, err := os.ReadFile("../docs/codec.md")
	if err != nil {
		t.Fatal(err)
	}
	for reason, raw := range map[string][]byte{
		codec.ReasonTrailing:   unhex("0200" + "0020000000000000" + "000001" + "00"),
		codec.ReasonFiller:     unhex("0200" + "0000040000000000" + "1051"),
		codec.ReasonChar:       unhex("0200" + "0000000002000000" + "2E30"),
		codec.ReasonManyMaps:   unhex("0200" + "8000000000000000" + "8000000000000000" + "0000000000000000"),
		codec.ReasonEmptyMap:   unhex("0200" + "8020000000000000" + "0000000000000000" + "000001"),
		codec.ReasonLengthZero: unhex("0200" + "0000000000000200" + "0000"),
		codec.ReasonTooLong:    long,
	} {
		_, err := iso8583.Unpack(raw)
		if fe, ok := errors.AsType[*iso8583.FieldError](err); !ok || fe.Reason != reason {
			t.Errorf("%q: %v", reason, err)
		}
		if rule := stricter[reason]; rule == "" || !bytes.Contains(doc, []byte("\n| "+rule+" | ")) {
			t.Errorf("%q has no rule in docs/codec.md", reason)
		}
		if err := moov.NewMessage(iso8583.Spec()).Unpack(raw); err != nil {
			t.Errorf("%q: moov refuses it too: %v", reason, err)
		}
	}
}

func TestCodecAgreesWithMoov(t *testing.T) {
	for name, spec := range map[string]*moov.MessageSpec{"moov": iso8583.Spec(), "moov with plain BCD": plainSpec()} {
		for _, s := range samples(t) {
			if err := agree(spec, s.raw); err != nil {
				t.Errorf("%s: %s: %v", name, s.name, err)
			}
			for i := range s.raw {
				cut := s.raw[:i]
				bad := bytes.Clone(s.raw)
				bad[i] ^= 0xA5
				for _, raw := range [][]byte{cut, bad} {
					if err := agree(spec, raw); err != nil {
						t.Fatalf("%s: %s, byte %d: %X: %v", name, s.name, i, raw, err)
					}
				}
			}
		}
	}
}

// TestEveryElement sets random elements to random values of their format: what
// is packed reads back the same, here and in moov's codec.
func TestEveryElement(t *testing.T) {
	spec := plainSpec()
	rapid.Check(t, func(t *rapid.T) {
		m := iso8583.New(iso8583.FinancialRequest)
		for _, e := range iso8583.Elements() {
			if rapid.IntRange(0, 15).Draw(t, "present") == 0 {
				draw(t, m, e)
			}
		}
		raw, err := iso8583.Pack(m)
		if fe, ok := errors.AsType[*iso8583.FieldError](err); ok && fe.Reason == codec.ReasonTooLong {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := agree(spec, raw); err != nil {
			t.Fatal(err)
		}
		back, err := iso8583.Unpack(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range iso8583.Elements() {
			if m.Digits(e.DE) != back.Digits(e.DE) || m.Text(e.DE) != back.Text(e.DE) || !bytes.Equal(m.Bytes(e.DE), back.Bytes(e.DE)) {
				t.Fatalf("DE %d changed", e.DE)
			}
		}
	})
}

// draw sets e to a random value of its format.
func draw(t *rapid.T, m *iso8583.Message, e iso8583.Element) {
	n := e.Length
	if e.Prefix > 0 {
		n = rapid.IntRange(1, min(n, 40)).Draw(t, "length")
	}
	letters := map[string]string{"n": "0123456789", "an": "09AZaz ", "ans": " ~!09AZaz", "z": "0123456789="}[e.Format]
	if letters == "" {
		m.SetBytes(e.DE, rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes"))
		return
	}
	text := string(rapid.SliceOfN(rapid.SampledFrom([]byte(letters)), n, n).Draw(t, "text"))
	if e.Format == "n" {
		m.SetDigits(e.DE, text)
		return
	}
	m.SetText(e.DE, text)
}

func FuzzUnpack(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.raw)
	}
	spec := plainSpec()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := agree(spec, raw); err != nil {
			t.Fatal(err)
		}
		id, ok := iso8583.Identify(raw)
		m, err := iso8583.Unpack(raw)
		if err != nil {
			return
		}
		if want := m.Has(11) && m.Terminal() != ""; ok != want || ok && (id.STAN != m.STAN() || id.Terminal != m.Terminal()) {
			t.Fatalf("Identify gives %v, %v", id, ok)
		}
		for _, d := range []iso8583.Direction{iso8583.ToHost, iso8583.ToTerminal} {
			if err := iso8583.Validate(m, d); err != nil && iso8583.RefusalCode(err) == "30" && err.Error() == "" {
				t.Fatal("a refusal without reason")
			}
		}
		iso8583.Describe(m)
		m.Digest()
	})
}
