package emv_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/testvectors/vectortest"
)

func hexByte(b byte) string { return fmt.Sprintf("%02X", b) }

func TestDictionary(t *testing.T) {
	seen := map[emv.Tag]bool{}
	for _, e := range emv.Entries() {
		if seen[e.Tag] {
			t.Errorf("%v is there twice", e.Tag)
		}
		seen[e.Tag] = true
		if !ber.Valid(uint32(e.Tag)) || e.Name == "" || e.Max > 0 && e.Min > e.Max {
			t.Errorf("%v: %+v", e.Tag, e)
		}
		if e.Tag.Constructed() && e.Format != emv.FormatBinary {
			t.Errorf("%v is a template of format %v", e.Tag, e.Format)
		}
	}
	for _, tag := range []emv.Tag{emv.TagICCCertificate, emv.TagPINCertificate, 0x5A, 0x57, 0x56, 0x9F6B, 0x5F20, 0x9F1F, 0x9F20, 0x99} {
		if e, ok := emv.Lookup(tag); !ok || !e.Sensitive {
			t.Errorf("%v is not sensitive", tag)
		}
	}
	if e, ok := emv.Lookup(0xDF01); ok || e.Format != emv.FormatBinary {
		t.Errorf("an unknown tag is %+v", e)
	}
}

func TestTags(t *testing.T) {
	for text, want := range map[string]emv.Tag{"9F02": 0x9F02, "5a": 0x5A, "DF8101": 0xDF8101} {
		tag, err := emv.ParseTag(text)
		if err != nil || tag != want || tag.String() != strings.ToUpper(text) {
			t.Errorf("ParseTag(%q) = %v, %v", text, tag, err)
		}
	}
	for _, text := range []string{"", "9F", "5A5A", "xx", "00", "009F02", "9F02FF"} {
		if tag, err := emv.ParseTag(text); err == nil {
			t.Errorf("ParseTag(%q) = %v", text, tag)
		}
	}
}

func TestDataOwnsItsValuesAndPrintsNone(t *testing.T) {
	var d emv.Data
	pan := []byte{0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x01, 0x19}
	d.Set(emv.TagPAN, pan)
	pan[0] = 0
	got, ok := d.Get(emv.TagPAN)
	if !ok || got[0] != 0x47 {
		t.Fatalf("Get = %X, %v", got, ok)
	}
	got[0] = 0
	if again, _ := d.Get(emv.TagPAN); again[0] != 0x47 {
		t.Error("Get aliases the store")
	}
	holder := struct {
		d emv.Data
		P *emv.Data
	}{d, &d}
	out := fmt.Sprintf("%v %+v %#v %x %s", holder, holder, d, holder, &d)
	for _, leak := range []string{"4761", "71 97 115", "0x47"} {
		if strings.Contains(out, leak) {
			t.Errorf("printed %q in %s", leak, out)
		}
	}
	s := d.Secret(emv.TagPAN)
	d.Wipe()
	if d.Has(emv.TagPAN) || s.Len() != 8 {
		t.Error("Wipe left a value, or wiped a Secret given away")
	}
}

func TestDataAccessors(t *testing.T) {
	var d emv.Data
	d.Set(emv.TagPAN, []byte{0x37, 0x42, 0x45, 0x00, 0x17, 0x41, 0x00, 0x7F})
	d.Set(emv.TagAmount, []byte{0, 0, 0, 0x01, 0x23, 0x45})
	d.Set(emv.TagFloorLimit, []byte{0, 0, 0x27, 0x10})
	d.Set(emv.TagExpiry, []byte{0x49, 0x12, 0x31})
	d.Set(emv.TagLabel, []byte("LION"))
	if pan, ok := d.Digits(emv.TagPAN); !ok || pan != "374245001741007" {
		t.Errorf("Digits = %q, %v", pan, ok)
	}
	if n, ok := d.Number(emv.TagAmount); !ok || n != 12345 {
		t.Errorf("Number = %d, %v", n, ok)
	}
	if n, ok := d.Binary(emv.TagFloorLimit); !ok || n != 10000 {
		t.Errorf("Binary = %d, %v", n, ok)
	}
	if day, ok := d.Day(emv.TagExpiry); !ok || day.String() != "2049-12-31" {
		t.Errorf("Day = %v, %v", day, ok)
	}
	if _, ok := d.Number(emv.TagLabel); ok {
		t.Error("text is a number")
	}
	if _, ok := d.Number(emv.TagAmountOther); ok {
		t.Error("a missing value is a number")
	}
	want := []byte{0x5F, 0x24, 3, 0x49, 0x12, 0x31, 0x9F, 0x1B, 4, 0, 0, 0x27, 0x10}
	if got := d.AppendTLV(nil, emv.TagExpiry, emv.TagAmountOther, emv.TagFloorLimit); !bytes.Equal(got, want) {
		t.Errorf("AppendTLV = %X", got)
	}
}

func TestValuesRefused(t *testing.T) {
	for name, f := range map[string]func() error{
		"filler inside digits": func() error { _, err := emv.Digits([]byte{0x12, 0xF3}); return err },
		"letter digit":         func() error { _, err := emv.Digits([]byte{0x1A}); return err },
		"number with filler":   func() error { _, err := emv.Number([]byte{0x1F}); return err },
		"number too long":      func() error { _, err := emv.Number(make([]byte, 10)); return err },
		"month 13":             func() error { _, err := emv.ParseDay([]byte{0x25, 0x13, 0x01}); return err },
		"day 0":                func() error { _, err := emv.ParseDay([]byte{0x25, 0x12, 0x00}); return err },
		"date of two bytes":    func() error { _, err := emv.ParseDay([]byte{0x25, 0x12}); return err },
		"amount below 0":       func() error { _, err := emv.Amount(-1); return err },
		"amount of 13 digits":  func() error { _, err := emv.Amount(1e12); return err },
		"binary digits":        func() error { _, err := emv.FormatDigits(emv.FormatBinary, "1", 1); return err },
		"half a CVM rule":      func() error { _, err := emv.ParseCVMList(make([]byte, 9)); return err },
		"unknown IAD layout":   func() error { _, err := emv.ParseIAD("other", make([]byte, 18)); return err },
		"IAD of no length":     func() error { _, err := emv.ParseIAD(emv.LayoutVisa013, nil); return err },
	} {
		if err := f(); !errors.Is(err, emv.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodeTablesAreUnambiguous(t *testing.T) {
	for _, code := range []string{"840", "0840", "usd", "USD"} {
		if c, ok := emv.LookupCurrency(code); !ok || c.Numeric != "840" {
			t.Errorf("LookupCurrency(%q) = %v", code, c)
		}
	}
	numeric, alphabetic := 0, 0
	for i := range 1000 {
		if c, ok := emv.LookupCurrency(fmt.Sprintf("%03d", i)); ok {
			numeric++
			if back, _ := emv.LookupCurrency(c.Alphabetic); back != c {
				t.Errorf("%v is found as %v by its letters", c, back)
			}
		}
		if c, ok := emv.LookupCountry(fmt.Sprintf("%03d", i)); ok {
			alphabetic++
			two, _ := emv.LookupCountry(c.Alpha2)
			three, _ := emv.LookupCountry(c.Alpha3)
			if two != c || three != c {
				t.Errorf("%v is found as %v and %v", c, two, three)
			}
		}
	}
	if numeric < 170 || alphabetic != 249 {
		t.Errorf("%d currencies, %d countries", numeric, alphabetic)
	}
}

func TestCryptogramOrder(t *testing.T) {
	for _, c := range []struct {
		got, asked emv.Cryptogram
		over       bool
	}{
		{emv.TC, emv.TC, false}, {emv.ARQC, emv.TC, false}, {emv.AAC, emv.TC, false},
		{emv.TC, emv.ARQC, true}, {emv.ARQC, emv.ARQC, false}, {emv.AAC, emv.ARQC, false},
		{emv.TC, emv.AAC, true}, {emv.ARQC, emv.AAC, true}, {emv.AAC, emv.AAC, false}, {0xC0, emv.TC, true},
	} {
		if c.got.Over(c.asked) != c.over {
			t.Errorf("%v over %v is %v", c.got, c.asked, !c.over)
		}
	}
}

func FuzzDOL(f *testing.F) {
	vectortest.Seed(f, "emv_dol")
	var d emv.Data
	d.Set(emv.TagAmount, []byte{0, 0, 0, 1, 0x23, 0x45})
	d.Set(emv.TagPAN, []byte{0x47, 0x61, 0x7F})
	f.Fuzz(func(t *testing.T, list []byte) {
		dol, err := emv.ParseDOL(list)
		if err != nil {
			return
		}
		if got := dol.Build(&d); len(got) != dol.Len() {
			t.Fatalf("built %d bytes of %d", len(got), dol.Len())
		}
		var back []byte
		for _, e := range dol {
			back = append(append(back, e.Tag.Bytes()...), byte(e.Length))
		}
		if !bytes.Equal(back, list) {
			t.Fatalf("%X is read as %X", list, back)
		}
	})
}
