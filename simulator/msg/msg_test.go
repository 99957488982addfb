package msg_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/iso8583/spec"
	"tallystick.example/simulator/msg"
)

// run runs `simulator msg` with in as standard input.
func run(t testing.TB, in string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	root := cli.Root("simulator", "test", "test")
	root.AddCommand(msg.Command())
	root.SetIn(strings.NewReader(in))
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), root, append([]string{"msg"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// explain gives the report of a message, in hexadecimal.
func explain(t testing.TB, in string, args ...string) (int, msg.Report) {
	t.Helper()
	code, out, errs := run(t, in, append([]string{"explain", "--json"}, args...)...)
	var r msg.Report
	if out != "" {
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v: %s%s", err, out, errs)
		}
	}
	return code, r
}

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A purchase of ISO 8583:1987 in binary, element by element, so that a fault can
// be put into any of them.
var purchase = []struct{ field, hex string }{
	{"MTI", "0200"},
	{"bitmap", "723C448108E08200"},
	{"2", "16" + "4761739001010010"},
	{"3", "000000"},
	{"4", "000000001234"},
	{"7", "1124130509"},
	{"11", "001234"},
	{"12", "140509"},
	{"13", "1124"},
	{"14", "4912"},
	{"18", "5411"},
	{"22", "0051"},
	{"25", "00"},
	{"32", "06" + "123456"},
	{"37", "333332383132303031323334"},
	{"41", "5445524D30303031"},
	{"42", "4D45524348414E5430303030303031"},
	{"43", strings.Repeat("41", 40)},
	{"49", "383430"},
	{"55", "0017" + "9F2608A1B2C3D4E5F60718" + "5F2A020840" + "00"},
}

// build joins the elements; change replaces some.
func build(change map[string]string) string {
	var b strings.Builder
	for _, e := range purchase {
		v, ok := change[e.field]
		if !ok {
			v = e.hex
		}
		b.WriteString(v)
	}
	return b.String()
}

// place is the offset of an element of the unchanged message.
func place(field string) int {
	at := 0
	for _, e := range purchase {
		if e.field == field {
			break
		}
		at += len(e.hex) / 2
	}
	return at
}

func TestExplain(t *testing.T) {
	code, r := explain(t, build(nil), "--spec", "87binary")
	if code != cli.ExitOK || r.Broken != nil || len(r.Fields) != len(purchase)+2 {
		t.Fatalf("exit %d, %+v", code, r)
	}
	for i, e := range purchase {
		if f := r.Fields[i]; f.Path != e.field || f.Offset != place(e.field) {
			t.Errorf("field %d is %s at byte %d, want %s at byte %d", i, f.Path, f.Offset, e.field, place(e.field))
		}
	}
	want := map[string]msg.Field{
		"MTI":     {Value: "0200", Meaning: "financial request (acquirer, 1987)"},
		"2":       {Value: "476173******0010", Masked: true},
		"7":       {Value: "1124130509", Meaning: "11-24 13:05:09"},
		"14":      {Value: "[4 digits]", Masked: true},
		"22":      {Value: "051", Meaning: "chip"},
		"41":      {Value: "TERM0001"},
		"49":      {Value: "840", Meaning: "USD"},
		"55.9F26": {Value: "A1B2C3D4E5F60718", Offset: place("55") + 2},
		"55.5F2A": {Value: "0840", Offset: place("55") + 13, Meaning: "USD"},
	}
	for _, f := range r.Fields {
		w, ok := want[f.Path]
		if ok && (f.Value != w.Value || f.Masked != w.Masked || w.Meaning != "" && f.Meaning != w.Meaning || w.Offset != 0 && f.Offset != w.Offset) {
			t.Errorf("%+v, want %+v", f, w)
		}
		delete(want, f.Path)
	}
	if len(want) > 0 {
		t.Errorf("not told: %v", want)
	}
}

// TestExplainBroken: each kind of fault is found in its place and named.
func TestExplainBroken(t *testing.T) {
	whole := build(nil)
	cut := func(field string, into int) string { return whole[:2*(place(field)+into)] }
	for _, tc := range []struct {
		name, in string
		offset   int
		field    string
		reason   string
	}{
		{"nothing but half an MTI", "02", 0, "MTI", "end"},
		{"letter in the MTI", build(map[string]string{"MTI": "0A00"}), 0, "MTI", "decimal"},
		{"cut within the bitmap", cut("bitmap", 5), 2, "bitmap", "end within the bitmap"},
		{"second bitmap announced and missing", "0200" + "F23C448108E08200" + "00", 10, "bitmap", "end within the bitmap"},
		{"cut before a length", cut("2", 0), place("2"), "2", "end within the length"},
		{"cut within a variable element", cut("2", 5), place("2"), "2", "end within the element"},
		{"letter in a length", build(map[string]string{"2": "1A" + "4761739001010010"}), place("2"), "2", "length is not decimal"},
		{"length above the maximum", build(map[string]string{"2": "20" + "47617390010100100000"}), place("2"), "2", "above the maximum"},
		{"letter in a PAN", build(map[string]string{"2": "16" + "47617390010100AF"}), place("2"), "2", "decimal"},
		{"filling nibble of a PAN", build(map[string]string{"2": "15" + "F761739001010010"}), place("2"), "2", "decimal"},
		{"filling digit of a PAN", build(map[string]string{"2": "15" + "4761739001010010"}), place("2"), "2", "filling nibble"},
		{"cut between elements", cut("4", 0), place("4"), "4", "end within the element"},
		{"cut within a fixed element", cut("4", 3), place("4"), "4", "end within the element"},
		{"letter in an amount", build(map[string]string{"4": "00000000123E"}), place("4"), "4", "decimal"},
		{"filling nibble of the entry mode", build(map[string]string{"22": "1051"}), place("22"), "22", "filling nibble"},
		{"letter in a time", build(map[string]string{"12": "14050B"}), place("12"), "12", "decimal"},
		{"length of an institution", build(map[string]string{"32": "12" + "123456789012"}), place("32"), "32", "above the maximum"},
		{"bit of an element that is missing", build(map[string]string{"bitmap": "723C448108E08600"}), place("55") + 19, "", ""},
		{"byte beyond ASCII in a text", build(map[string]string{"41": "5445524DFF303031"}), place("41"), "41", "character"},
		{"cut within a text", cut("43", 39), place("43"), "43", "end within the element"},
		{"cut within a length of two bytes", cut("55", 1), place("55"), "55", "end within the length"},
		{"cut within chip data", cut("55", 8), place("55"), "55", "end within the element"},
		{"bytes behind the end", whole + "00", len(whole) / 2, "end", "follow the last element"},
		{"bit of DE 64 without MAC", build(map[string]string{"bitmap": "723C448108E08201"}), len(whole) / 2, "64", "end within the element"},
		{"third bitmap", "0200" + "8000000000000000" + "8000000000000000" + "0000000000000000" + "00", 26, "end", "follow"},
	} {
		code, r := explain(t, tc.in, "--spec", "87binary")
		switch {
		case code != cli.ExitFailed || r.Broken == nil:
			t.Errorf("%s: exit %d, %+v", tc.name, code, r.Broken)
		case tc.field != "" && (r.Broken.Offset != tc.offset || r.Broken.Path != tc.field || !strings.Contains(r.Broken.Reason, tc.reason)):
			t.Errorf("%s: %s, want byte %d, field %s, %q", tc.name, r.Broken, tc.offset, tc.field, tc.reason)
		case r.Broken.Offset < 0 || r.Broken.Path == "" || r.Broken.Name == "" || r.Broken.Reason == "":
			t.Errorf("%s: a part is missing: %+v", tc.name, r.Broken)
		}
		for i, f := range r.Fields { // all that stand before
			if i > 1 && f.Offset >= r.Broken.Offset {
				t.Errorf("%s: field %s at byte %d is behind the fault", tc.name, f.Path, f.Offset)
			}
		}
		if r.Broken != nil && r.Broken.Path != "end" && r.Broken.Offset == place(r.Broken.Path) && r.Broken.Path == tc.field {
			before := 0
			for before < len(purchase) && purchase[before].field != tc.field {
				before++
			}
			elements := 0
			for _, f := range r.Fields {
				if !strings.Contains(f.Path, ".") {
					elements++
				}
			}
			if tc.field != "MTI" && tc.field != "bitmap" && elements != before {
				t.Errorf("%s: %d elements before the fault, want %d", tc.name, elements, before)
			}
		}
	}
}

// TestExplainBrokenElsewhere: faults of other dialects and of subfields.
func TestExplainBrokenElsewhere(t *testing.T) {
	xml := "../../iso8583/spec/testdata/packager.xml"
	ascii := func(s string) string { return hex.EncodeToString([]byte(s)) }
	for _, tc := range []struct {
		name, spec, in string
		offset         int
		field          string
	}{
		{"letter in a hexadecimal bitmap", "87ascii", ascii("0200" + "702000000000000G"), 4, "bitmap"},
		{"letter in an ASCII length", "87ascii", ascii("0200" + "4000000000000000" + "1x4761739001010010"), 20, "2"},
		{"letter in an amount of characters", "87ascii", ascii("0200" + "1000000000000000" + "00000000123X"), 20, "4"},
		{"letter in hexadecimal data", "87ascii", ascii("0200" + "0000000000001000" + "0123456789ABCDEX"), 20, "52"},
		{"element without definition", "2003", "2200" + "8000000000000000" + "8000000000000000" + "4000000000000000", 26, "130"},
		{"subfield cut", xml, "0210" + "0000000000000400" + "0004" + "17" + "098404", 13, "54.1"},
		{"tag that is not defined", xml, "0210" + "0000000000010000" + ascii("004") + ascii("9901"), 13, "48.99"},
		{"subfield without definition", xml, "0210" + "0000000000000010" + "0008" + "8000000000000000", 20, "60.1"},
		{"digit of EBCDIC", "terminal", "0200" + "0020000000000000" + "F0F0F1", 10, "11"},
	} {
		code, r := explain(t, tc.in, "--spec", tc.spec)
		if code != cli.ExitFailed || r.Broken == nil || r.Broken.Offset != tc.offset || r.Broken.Path != tc.field {
			t.Errorf("%s: exit %d, %v; want byte %d, field %s", tc.name, code, r.Broken, tc.offset, tc.field)
		}
	}
}

// TestHints: what people do wrong most often is guessed.
func TestHints(t *testing.T) {
	whole := build(nil)
	framed := fmt.Sprintf("%04X", len(whole)/2) + whole
	for in, want := range map[string]string{
		framed:               "--frame binary2",
		"6000010000" + whole: "TPDU",
		hex.EncodeToString([]byte("0200" + "7020000000000000")): "--spec 87ascii",
	} {
		if _, r := explain(t, in, "--spec", "87binary"); r.Broken == nil || !strings.Contains(strings.Join(r.Notes, " "), want) {
			t.Errorf("%.20s…: %v, want %q", in, r.Notes, want)
		}
	}
	if code, r := explain(t, framed, "--spec", "87binary", "--frame", "binary2"); code != cli.ExitOK || r.Frame == nil || r.Frame.Length != len(whole)/2 {
		t.Errorf("exit %d, frame %+v", code, r.Frame)
	}
	tpdu := fmt.Sprintf("%04X", len(whole)/2+5) + "6000010000" + whole
	if code, r := explain(t, tpdu, "--spec", "87binary", "--frame", "binary2"); code != cli.ExitOK || r.Frame == nil || r.Frame.TPDU != "6000010000" {
		t.Errorf("exit %d, frame %+v", code, r.Frame)
	}
	if code, _, errs := run(t, framed+"00", "explain", "--spec", "87binary", "--frame", "binary2"); code != cli.ExitFailed || !strings.Contains(errs, "byte 0: field length") {
		t.Errorf("a wrong length: exit %d, %s", code, errs)
	}
}

// TestInputForms: hexadecimal with blanks, binary, and characters that could be
// hexadecimal are told apart.
func TestInputForms(t *testing.T) {
	echo := "08008220000000000000040000000000000012191125100000010301"
	raw, err := hex.DecodeString(echo)
	if err != nil {
		t.Fatal(err)
	}
	text := "08008220000000000000040000000000000012191125100000010301" // the same in 87ascii, but for the length of DE 70
	text = text[:len(text)-4] + "301"
	for name, tc := range map[string]struct {
		in   string
		args []string
	}{
		"hexadecimal":            {echo + "\n", []string{"--spec", "87binary"}},
		"with blanks and colons": {strings.ReplaceAll(echo, "0000", "00 00:\n"), []string{"--spec", "87binary"}},
		"binary":                 {string(raw), []string{"--spec", "87binary"}},
		"binary by name":         {string(raw), []string{"--spec", "87binary", "--input", "binary"}},
		"characters":             {text + "\n", []string{"--spec", "87ascii"}},
		"characters in hex":      {hex.EncodeToString([]byte(text)), []string{"--spec", "87ascii"}},
	} {
		if code, r := explain(t, tc.in, tc.args...); code != cli.ExitOK {
			t.Errorf("%s: exit %d, %v", name, code, r.Broken)
		}
	}
	for name, args := range map[string][]string{
		"no hexadecimal": {"--input", "hex"}, "no form": {"--input", "base64"}, "no frame": {"--frame", "hex4"},
		"no dialect": {"--spec", "88"}, "no file": {"--spec", "./none.json"}, "two files": {"a", "b"},
	} {
		if code, _, _ := run(t, "xyz", append([]string{"explain"}, args...)...); code != cli.ExitUsage {
			t.Errorf("%s: exit %d", name, code)
		}
	}
	if code, _, _ := run(t, "", "explain"); code != cli.ExitUsage {
		t.Errorf("empty input: exit %d", code)
	}
}

// TestVectorsOfDialects: what others have packed is explained without a fault.
func TestVectorsOfDialects(t *testing.T) {
	raw, err := os.ReadFile("../../iso8583/spec/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Name, Dialect, Message string }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if code, r := explain(t, v.Message, "--spec", v.Dialect); code != cli.ExitOK {
			t.Errorf("%s %s: %v", v.Dialect, v.Name, r.Broken)
		}
	}
	if len(list) < 3*len(spec.Dialects()) {
		t.Errorf("%d vectors", len(list))
	}
}
