package spec_test

import (
	"bytes"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/field"

	"tallystick.example/iso8583/codec"
	"tallystick.example/iso8583/spec"
)

//go:embed testdata
var testdata embed.FS

// A vector is a message whose bytes come from elsewhere: another implementation
// or a person.
type vector struct {
	Name, Dialect, Source string
	Message               string            // hex
	Fields                map[string]string // by path; binary values in hex
}

func vectors(t testing.TB, file string) []vector {
	t.Helper()
	raw, err := testdata.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// values flattens the fields of a message to paths. Values of binary fields are
// hexadecimal.
func values(t testing.TB, m *moov.Message) map[string]string {
	t.Helper()
	out := map[string]string{}
	for n, f := range m.GetFields() {
		if n != 1 {
			flatten(t, strconv.Itoa(n), f, out)
		}
	}
	return out
}

func flatten(t testing.TB, path string, f field.Field, out map[string]string) {
	t.Helper()
	if c, ok := f.(*field.Composite); ok {
		for key, sub := range c.GetSubfields() {
			flatten(t, path+"."+key, sub, out)
		}
		return
	}
	v, err := f.String()
	if _, ok := f.(*field.Binary); ok {
		var b []byte
		b, err = f.Bytes()
		v = strings.ToUpper(hex.EncodeToString(b))
	}
	if err != nil {
		t.Fatal(err)
	}
	out[path] = v
}

// differences lists the paths at which two sets of values differ.
func differences(got, want map[string]string) []string {
	var out []string
	for path, v := range want {
		if got[path] != v {
			out = append(out, fmt.Sprintf("%s is %q, want %q", path, got[path], v))
		}
	}
	for path, v := range got {
		if _, ok := want[path]; !ok {
			out = append(out, fmt.Sprintf("%s is %q, and should not be there", path, v))
		}
	}
	slices.Sort(out)
	return out
}

// roundTrip reads a vector with moov's codec, compares the values, sets them in a
// new message and wants the vector's bytes back.
func roundTrip(t *testing.T, s *spec.Spec, v vector) {
	t.Helper()
	layout, err := s.Moov()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(v.Message)
	if err != nil {
		t.Fatal(err)
	}
	compiled(t, s, v, raw)
	in := moov.NewMessage(layout)
	if err := in.Unpack(raw); err != nil {
		t.Errorf("%s %s: %v", v.Dialect, v.Name, err)
		return
	}
	if diff := differences(values(t, in), v.Fields); diff != nil {
		t.Errorf("%s %s: %s", v.Dialect, v.Name, strings.Join(diff, "; "))
	}
	out := moov.NewMessage(layout)
	for path, value := range v.Fields {
		if path == "0" {
			out.MTI(value)
			continue
		}
		if err := out.MarshalPath(path, value); err != nil {
			t.Errorf("%s %s: setting %s: %v", v.Dialect, v.Name, path, err)
		}
	}
	if packed, err := out.Pack(); err != nil || !bytes.Equal(packed, raw) {
		t.Errorf("%s %s packs to\n%X, %v; want\n%X", v.Dialect, v.Name, packed, err, raw)
	}
}

// compiled reads a vector with the compiled codec, compares the values, and wants
// it packed from its parts to the same bytes.
func compiled(t *testing.T, s *spec.Spec, v vector, raw []byte) {
	t.Helper()
	p, err := s.Program()
	if err != nil {
		t.Fatal(err)
	}
	in, out, got := codec.NewMessage(p), codec.NewMessage(p), map[string]string{}
	if err := in.Unpack(raw); err != nil {
		t.Errorf("%s %s, compiled: %v", v.Dialect, v.Name, err)
		return
	}
	var flat func(path string, v codec.Value)
	flat = func(path string, v codec.Value) {
		switch {
		case v.Kind() == codec.Composite:
			for sub := range v.Subfields() {
				flat(path+"."+sub.Key(), sub)
			}
		case v.Kind() == codec.Bytes:
			got[path] = strings.ToUpper(hex.EncodeToString(v.Append(nil)))
		default:
			got[path] = v.Text()
		}
	}
	for de := range codec.MaxElement + 1 {
		if in.Has(de) {
			flat(strconv.Itoa(de), in.Value(de))
			out.CopyFrom(in, de)
		}
	}
	if diff := differences(got, v.Fields); diff != nil {
		t.Errorf("%s %s, compiled: %s", v.Dialect, v.Name, strings.Join(diff, "; "))
	}
	if packed, err := out.AppendTo(nil); err != nil || !bytes.Equal(packed, raw) {
		t.Errorf("%s %s, compiled, packs to\n%X, %v; want\n%X", v.Dialect, v.Name, packed, err, raw)
	}
}

// TestDialectVectors holds the dialects to messages that others have packed.
func TestDialectVectors(t *testing.T) {
	seen := map[string]int{}
	for _, v := range vectors(t, "vectors.json") {
		s, ok := spec.Dialect(v.Dialect)
		if !ok || v.Source == "" {
			t.Fatalf("%s: no dialect %s or no source", v.Name, v.Dialect)
		}
		seen[v.Dialect]++
		roundTrip(t, s, v)
	}
	for _, name := range spec.Dialects() {
		if seen[name] < 3 {
			t.Errorf("%s has %d vectors", name, seen[name])
		}
	}
}

// TestDialectFiles: each file is in the form that our own export has, has every
// element but the one that would be a third bitmap, and each element has a name.
func TestDialectFiles(t *testing.T) {
	for _, name := range spec.Dialects() {
		s, ok := spec.Dialect(name)
		if !ok {
			t.Fatalf("%s is not there", name)
		}
		raw, err := spec.DialectFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := s.JSON(); err != nil || !bytes.Equal(out, raw) {
			t.Errorf("%s is not as it would be exported (%v)", name, err)
		}
		for n := range 129 {
			f, ok := s.Fields[n]
			if ok == (n == 65) {
				t.Errorf("%s: element %d is there: %v", name, n, ok)
			}
			if ok && f.Description == "" {
				t.Errorf("%s: element %d has no name", name, n)
			}
		}
		if len(s.Fields) != 128 {
			t.Errorf("%s has %d elements", name, len(s.Fields))
		}
	}
	if _, ok := spec.Dialect("92"); ok {
		t.Error("a dialect that does not exist")
	}
}

// TestNumericElements: in 87ascii the elements that hold digits alone are those
// that 87binary packs as BCD, and a letter in one is found.
func TestNumericElements(t *testing.T) {
	ascii, _ := spec.Dialect("87ascii")
	binary, _ := spec.Dialect("87binary")
	p, err := ascii.Program()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for de, f := range p.Layout().Fields {
		numeric := binary.Fields[de].Enc == "BCD"
		if (f.Chars != nil) != numeric {
			t.Errorf("DE %d holds digits alone: %v, in BCD: %v", de, f.Chars != nil, numeric)
		}
		if numeric {
			found++
		}
	}
	if found < 50 {
		t.Errorf("only %d numeric elements", found)
	}
	for in, ok := range map[string]bool{"0200" + "1000000000000000" + "00000000123X": false, "0200" + "1000000000000000" + "000000001234": true} {
		if err := codec.NewMessage(p).Unpack([]byte(in)); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}
