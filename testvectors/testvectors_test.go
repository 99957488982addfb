package testvectors_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tallystick.example/testvectors"
)

// TestAll checks the numbers that README.md states, so that a lost file or case
// is noticed.
func TestAll(t *testing.T) {
	all, err := testvectors.All()
	if err != nil {
		t.Fatal(err)
	}
	cases, rejects := 0, 0
	for _, f := range all {
		cases += len(f.Cases)
		for _, c := range f.Cases {
			if c.Reject {
				rejects++
			}
			if c.Asks() {
				t.Errorf("%s states no result", c.ID)
			}
			if !strings.HasPrefix(c.ID, f.Topic+"/") || c.Source == "" {
				t.Errorf("%s: id or source", c.ID)
			}
		}
	}
	if len(all) != 29 || cases != 2355 {
		t.Errorf("%d topics with %d cases, README.md says 29 with 2355", len(all), cases)
	}
	if rejects == 0 {
		t.Error("no case to reject")
	}
}

func TestLoadRefusesUnknownTopics(t *testing.T) {
	for _, topic := range []string{"", "nothing", "../testvectors/mac", "mac.json"} {
		if _, err := testvectors.Load(topic); err == nil {
			t.Errorf("loaded %q", topic)
		}
	}
}

func TestParseIsStrict(t *testing.T) {
	const good = `{"schema":"tallystick-vectors/1","topic":"t","about":"","cases":[{"id":"a","op":"o","in":{},"out":{"x":1}}]}`
	if _, err := testvectors.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown key in file":  {`"about"`, `"abuot"`},
		"unknown key in case":  {`"op":"o"`, `"op":"o","expect":1`},
		"schema":               {`vectors/1`, `vectors/2`},
		"no topic":             {`"t"`, `""`},
		"no id":                {`"a"`, `""`},
		"no op":                {`"o"`, `""`},
		"no in":                {`"in":{},`, ``},
		"null in":              {`"in":{}`, `"in":null`},
		"empty out":            {`{"x":1}`, `{}`},
		"out and reject":       {`"in"`, `"reject":true,"in"`},
		"id twice":             {`[{`, `[{"id":"a","op":"o","in":{},"reject":true},{`},
		"two values":           {`]}`, `]}{}`},
		"cut":                  {`]}`, `]`},
		"reject of wrong type": {`"in"`, `"reject":1,"in"`},
		"review":               {`"in"`, `"review":"x","in"`},
		"no cases":             {`,"cases":[{"id":"a","op":"o","in":{},"out":{"x":1}}]`, ``},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := testvectors.Parse([]byte(bad)); !errors.Is(err, testvectors.ErrSchema) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInputFailsOnWrongTypes(t *testing.T) {
	in := testvectors.Input{
		"text": "zz", "lower": "ab", "odd": "ABC", "number": json.Number("3"), "float": json.Number("1.5"),
		"big": json.Number("5000000000"), "list": []any{json.Number("1")}, "object": map[string]any{"9F": "0"}, "null": nil,
	}
	for name, get := range map[string]func(){
		"hex of text":       func() { in.Hex("text") },
		"hex in lower case": func() { in.Hex("lower") },
		"hex of odd length": func() { in.Hex("odd") },
		"hex of number":     func() { in.Hex("number") },
		"hex missing":       func() { in.Hex("none") },
		"digits":            func() { in.Digits("text") },
		"digits of number":  func() { in.Digits("number") },
		"number of text":    func() { in.Number("text") },
		"number of float":   func() { in.Number("float") },
		"int":               func() { in.Int("big") },
		"text of number":    func() { in.Text("number") },
		"text of null":      func() { in.Text("null") },
		"bool":              func() { in.Bool("number") },
		"list":              func() { in.List("text") },
		"object":            func() { in.Object("list") },
		"objects":           func() { in.Objects("list") },
		"texts":             func() { in.Texts("list") },
		"tags":              func() { in.Tags("object") },
		"exchanges":         func() { in.Exchanges("list") },
	} {
		func() {
			defer func() {
				if _, ok := recover().(*testvectors.InputError); !ok {
					t.Errorf("%s: no InputError", name)
				}
			}()
			get()
		}()
	}
}

func TestNormalAndEqual(t *testing.T) {
	got, err := testvectors.Normal(map[string]any{
		"b": []byte{0xAB}, "nilbytes": []byte(nil), "n": 7, "u": uint8(255), "s": "x", "t": true, "z": nil,
		"l": []map[string]any{{"b": [2]byte{1, 2}}}, "e": []string{},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"b": "AB", "nilbytes": "", "n": json.Number("7"), "u": json.Number("255"), "s": "x", "t": true, "z": nil,
		"l": []any{map[string]any{"b": "0102"}}, "e": []any{},
	}
	if !testvectors.Equal(want, got) {
		t.Errorf("got %v", got)
	}
	for name, other := range map[string]any{
		"value":     map[string]any{"b": "AC"},
		"type":      map[string]any{"n": "7"},
		"missing":   map[string]any{"missing": nil},
		"no null":   map[string]any{"s": nil},
		"list":      map[string]any{"e": []any{"x"}},
		"in a list": map[string]any{"l": []any{map[string]any{"b": "0103"}}},
		"scalar":    "x",
	} {
		if testvectors.Equal(other, got) {
			t.Errorf("%s: equal", name)
		}
	}
	for name, bad := range map[string]any{"float": 1.5, "struct": struct{}{}, "keys": map[int]any{}, "inside": []any{1.5}} {
		if _, err := testvectors.Normal(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzParse checks that no file makes Parse panic and that what it accepts is
// consistent.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schema":"tallystick-vectors/1","topic":"t","about":"","cases":[{"id":"a","op":"o","in":{"x":"00"},"reject":true}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := testvectors.Parse(data)
		if err != nil {
			return
		}
		for _, c := range file.Cases {
			if c.ID == "" || c.Op == "" || c.In == nil || c.Reject && c.Out != nil {
				t.Fatalf("accepted %+v", c)
			}
		}
	})
}
