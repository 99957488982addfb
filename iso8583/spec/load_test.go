package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/moov-io/iso8583/specs"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/spec"
)

// with is a small specification with one more field.
func with(field string) string {
	return `{"name":"t","fields":{
		"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"},
		"1":{"type":"Bitmap","enc":"Binary","prefix":"Binary.Fixed"},` + field + `}}`
}

func TestLoadRefuses(t *testing.T) {
	const tagged = `"subfields":{"1":{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL"}}`
	for _, tc := range []struct{ name, in, path, reason string }{
		{"misspelt key", with(`"2":{"type":"String","lenght":4,"enc":"ASCII","prefix":"ASCII.LL"}`), "2", `"lenght" is not known`},
		{"key in capitals", with(`"2":{"Type":"String","length":4,"enc":"ASCII","prefix":"ASCII.LL"}`), "2", `"Type" is not known`},
		{"duplicate field", with(`"2":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.LL"},"2":{}`), "", `"2" is there twice`},
		{"duplicate key", with(`"2":{"type":"String","length":4,"length":5,"enc":"ASCII","prefix":"ASCII.LL"}`), "2", `"length" is there twice`},
		{"duplicate subfield", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","subfields":{"1":{},"1":{}}}`), "48", `"1" is there twice`},
		{"unknown type", with(`"2":{"type":"Text","length":4,"enc":"ASCII","prefix":"ASCII.LL"}`), "2", `"Text" is not known`},
		{"unknown encoding", with(`"2":{"type":"String","length":4,"enc":"ASCI","prefix":"ASCII.LL"}`), "2", `"ASCI" is not known`},
		{"no encoding", with(`"2":{"type":"String","length":4,"prefix":"ASCII.LL"}`), "2", `encoding "" is not known`},
		{"encoding of tags", with(`"2":{"type":"String","length":4,"enc":"BerTLVTag","prefix":"ASCII.LL"}`), "2", "of tags"},
		{"unknown prefix", with(`"2":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.LLLLL"}`), "2", `"ASCII.LLLLL" is not known`},
		{"length that LL cannot say", with(`"2":{"type":"String","length":100,"enc":"ASCII","prefix":"ASCII.LL"}`), "2", "cannot say a length of 100"},
		{"length that a byte cannot say", with(`"2":{"type":"Binary","length":256,"enc":"Binary","prefix":"Binary.L"}`), "2", "cannot say a length of 256"},
		{"no length", with(`"2":{"type":"String","enc":"ASCII","prefix":"ASCII.Fixed"}`), "2", "length is missing"},
		{"negative length", with(`"2":{"type":"String","length":-1,"enc":"ASCII","prefix":"ASCII.Fixed"}`), "2", "whole number"},
		{"length of text", with(`"2":{"type":"String","length":"4","enc":"ASCII","prefix":"ASCII.Fixed"}`), "2", "whole number"},
		{"length with a fraction", with(`"2":{"type":"String","length":4.5,"enc":"ASCII","prefix":"ASCII.Fixed"}`), "2", "whole number"},
		{"immense length", with(`"2":{"type":"String","length":99999999999999999999,"enc":"ASCII","prefix":"ASCII.Fixed"}`), "2", "whole number"},
		{"unknown padding", with(`"2":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed","padding":{"type":"left","pad":"0"}}`), "2", `"left" is not known`},
		{"padding of two", with(`"2":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed","padding":{"type":"Left","pad":"00"}}`), "2", "one character"},
		{"misspelt key of padding", with(`"2":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed","padding":{"type":"Left","char":"0"}}`), "2", `"char" is not known`},
		{"element by name", with(`"two":{}`), "", `"two" is no number`},
		{"element with a leading zero", with(`"02":{}`), "", `"02" is no number`},
		{"element too high", with(`"193":{}`), "", `"193" is no number`},
		{"field that is none", with(`"2":7`), "2", "no JSON object"},
		{"list", with(`"2":[]`), "2", "list has no meaning"},
		{"null", with(`"2":null`), "2", "no JSON object"},
		{"composite without subfields", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","tag":{"sort":"StringsByInt"}}`), "48", "needs subfields"},
		{"composite with an encoding", with(`"48":{"type":"Composite","length":9,"enc":"ASCII","prefix":"ASCII.LL",` + tagged + `}`), "48", "no encoding of its own"},
		{"composite without tag", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL",` + tagged + `}`), "48", "either tag or bitmap"},
		{"composite with padding", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","padding":{"type":"Left","pad":"0"},"tag":{"sort":"StringsByInt"},` + tagged + `}`), "48", "no padding"},
		{"unknown sort", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","tag":{"sort":"Strings"},` + tagged + `}`), "48", `sort "Strings"`},
		{"tag without encoding", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","tag":{"length":2,"sort":"StringsByInt"},` + tagged + `}`), "48", "needs an encoding"},
		{"tag of 9", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","tag":{"length":9,"enc":"ASCII","sort":"StringsByInt"},` + tagged + `}`), "48", "want 1 to 8"},
		{"subfield by name", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","tag":{"sort":"StringsByInt"},"subfields":{"a":{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL"}}}`), "48.a", "must be a number"},
		{"two subfields of one number", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","tag":{"sort":"StringsByInt"},"subfields":{"1":{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL"},"01":{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL"}}}`), "48.", "number is also that"},
		{"tag in small letters", with(`"55":{"type":"Composite","length":99,"prefix":"ASCII.LL","tag":{"enc":"BerTLVTag","sort":"StringsByHex"},"subfields":{"9f26":{"type":"Binary","length":8,"enc":"Binary","prefix":"BerTLV"}}}`), "55.9f26", "capital hexadecimal"},
		{"bitmap that expands", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","bitmap":{"type":"Bitmap","length":1,"enc":"Binary","prefix":"Binary.Fixed"},` + tagged + `}`), "48", "disableAutoExpand"},
		{"bit beyond the bitmap", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","bitmap":{"type":"Bitmap","length":1,"enc":"Binary","prefix":"Binary.Fixed","disableAutoExpand":true},"subfields":{"9":{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL"}}}`), "48.9", "no bit"},
		{"subfields of a string", with(`"48":{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL",` + tagged + `}`), "48", "only a Composite"},
		{"unknown key in a subfield", with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","tag":{"sort":"StringsByInt"},"subfields":{"1":{"typ":"String"}}}`), "48.1", `"typ" is not known`},
		{"bitmap in decimal", `{"fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"},"1":{"type":"Bitmap","enc":"BCD","prefix":"BCD.Fixed"}}}`, "1", "Binary or HexToASCII"},
		{"no bitmap", `{"fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`, "1", "not defined"},
		{"no message type", `{"fields":{"1":{"type":"Bitmap","enc":"Binary","prefix":"Binary.Fixed"}}}`, "0", "not defined"},
		{"no fields", `{"name":"t"}`, "", `"fields"`},
		{"unknown key at the top", `{"name":"t","fields":{},"version":1}`, "", `"version" is not known`},
		{"syntax", `{"fields":{"0":`, "", "no JSON"},
		{"two documents", `{"fields":{}}{}`, "", "no JSON"},
		{"colon forgotten", `{"fields" {}}`, "", "no JSON"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "", "UTF-8"},
		{"deep nesting", strings.Repeat(`{"fields":`, 5000) + strings.Repeat(`}`, 5000), "", "no JSON"},
		{"nested objects", strings.Repeat(`{"fields":`, 50) + "1" + strings.Repeat(`}`, 50), "", "nested more than"},
		{"too large", strings.Repeat(" ", spec.MaxSize) + "{}", "", "bytes"},
	} {
		_, err := spec.Load([]byte(tc.in))
		e, ok := errors.AsType[*spec.Error](err)
		if !ok || !strings.HasPrefix(e.Path, tc.path) || tc.path == "" && e.Path != "" || !strings.Contains(e.Reason, tc.reason) {
			t.Errorf("%s: %v; want field %q and %q", tc.name, err, tc.path, tc.reason)
		}
	}
}

// TestDeepComposites: what lies within the bound loads, one level more does not.
func TestDeepComposites(t *testing.T) {
	nest := func(n int) string {
		f := `{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL"}`
		for range n {
			f = `{"type":"Composite","length":99,"prefix":"ASCII.LL","tag":{"sort":"StringsByInt"},"subfields":{"1":` + f + `}}`
		}
		return with(`"48":` + f)
	}
	if _, err := spec.Load([]byte(nest(spec.MaxDepth - 1))); err != nil {
		t.Errorf("%d levels: %v", spec.MaxDepth-1, err)
	}
	if _, err := spec.Load([]byte(nest(spec.MaxDepth))); err == nil {
		t.Errorf("%d levels were taken", spec.MaxDepth)
	}
}

// sameJSON compares two documents by value.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y bytes.Buffer
	for raw, to := range map[*bytes.Buffer][]byte{&x: a, &y: b} {
		var v any
		if err := json.Unmarshal(to, &v); err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(raw).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

// TestTerminalInterface: what `host spec` prints loads and comes out the same.
func TestTerminalInterface(t *testing.T) {
	raw, err := iso8583.SpecJSON()
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.JSON()
	if err != nil || !bytes.Equal(out, raw) {
		t.Errorf("it comes out different: %v", err)
	}
	if len(s.Fields) != 128 {
		t.Errorf("%d fields, want 128: all but DE 65", len(s.Fields))
	}
}

// TestPublishedSpecifications: the ones that the library comes with are taken.
func TestPublishedSpecifications(t *testing.T) {
	for name, in := range map[string]func() ([]byte, error){
		"87 ASCII": func() ([]byte, error) { return spec.Export(specs.Spec87ASCII) },
		"87 hex":   func() ([]byte, error) { return spec.Export(specs.Spec87Hex) },
	} {
		raw, err := in()
		if err != nil {
			t.Fatal(err)
		}
		s, err := spec.Load(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := s.JSON()
		if err != nil || !sameJSON(t, out, raw) {
			t.Errorf("%s comes out different: %v", name, err)
		}
	}
}

// FuzzLoad: whatever is taken builds the library's specification without a
// panic, and comes out as what loads to the same.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(with(`"2":{"type":"String","length":19,"enc":"BCD","prefix":"BCD.LL"}`)))
	f.Add([]byte(with(`"48":{"type":"Composite","length":9,"prefix":"ASCII.LL","bitmap":{"type":"Bitmap","length":1,"enc":"Binary","prefix":"Binary.Fixed","disableAutoExpand":true},"subfields":{"8":{"type":"String","length":9,"enc":"ASCII","prefix":"ASCII.LL"}}}`)))
	f.Add([]byte(with(`"55":{"type":"Composite","length":99,"prefix":"ASCII.LL","tag":{"enc":"BerTLVTag","sort":"StringsByHex","skipUnknownTLVTags":true},"subfields":{"9F26":{"type":"Binary","length":8,"enc":"Binary","prefix":"BerTLV"}}}`)))
	f.Add([]byte(with(`"63":{"type":"Composite","length":99,"prefix":"ASCII.LLL","tag":{"length":2,"enc":"ASCII","sort":"StringsByInt","padding":{"type":"Left","pad":"0"}},"subfields":{"1":{"type":"Hex","length":8,"enc":"Binary","prefix":"ASCII.LL","padding":{"type":"None","pad":""}}}}`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := spec.Load(raw)
		if err != nil {
			if _, ok := errors.AsType[*spec.Error](err); !ok {
				t.Fatalf("an error without a field: %v", err)
			}
			return
		}
		out, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := spec.Load(out)
		if err != nil {
			t.Fatalf("its own output does not load: %v\n%s", err, out)
		}
		if twice, err := again.JSON(); err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("%s\nbecomes\n%s", out, twice)
		}
	})
}
