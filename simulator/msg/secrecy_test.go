package msg_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/iso8583/spec"
	"tallystick.example/simulator/msg"
)

// canary is a PAN with a right check digit that stands in no other test.
const canary = "5413339876501232"

// leaks looks for the canary in an output: as digits, with blanks, and as the
// hexadecimal of its characters in ASCII and EBCDIC.
func leaks(out string) string {
	squeezed := strings.NewReplacer(" ", "", "-", "", ":", "").Replace(out)
	ascii := hex.EncodeToString([]byte(canary))
	ebcdic := ""
	for _, d := range canary {
		ebcdic += "f" + string(d)
	}
	for form, s := range map[string]string{"digits": canary, "ASCII": ascii, "EBCDIC": ebcdic} {
		if strings.Contains(strings.ToLower(squeezed), s) {
			return form
		}
	}
	return ""
}

// planted are messages with the canary in every place where one can be, as input
// of msg pack.
func planted() map[string][]string {
	track2 := canary + "=49122011234500000000"
	text := "pay " + canary + " now"
	apart := "5413 3398 7650 1232"
	list := map[string][]string{
		"87ascii": {
			`2: "` + canary + `"`, `34: "` + canary + `"`, `35: "` + track2 + `"`, `36: "` + canary + `=1"`, `45: "B` + canary + `^A/B^4912201"`,
			`44: "` + canary + `"`, `46: "` + text + `"`, `47: "` + apart + `"`, `48: "` + text + `"`, `54: "` + text + `"`, `55: "5A08` + canary + `"`,
			`56: "` + text + `"`, `59: "` + text + `"`, `60: "` + canary + `"`, `62: "` + apart + `"`, `63: "` + text + `"`, `102: "` + canary + `"`,
			`103: "` + canary + `"`, `104: "` + text + `"`, `120: "` + text + `"`, `127: "` + canary + `"`,
			"2: \"" + canary + "\"\n90: \"" + canary + "00000000000000000000000000\"",
			"2: \"" + canary + "\"\n43: \"" + canary + "\"", "2: \"" + canary + "\"\n98: \"" + canary + "\"",
		},
		"87binary": {
			`2: "` + canary + `"`, `35: "` + track2 + `"`, `48: "` + text + `"`, `62: "` + canary + `"`,
			"2: \"" + canary + "\"\n95: \"" + canary + "00000000000000000000000000\"",
			`55: {"5A": "` + canary + `"}`, `55: {"57": "` + canary + `D4912201"}`, `55: {"DF01": "` + canary + `"}`,
			`55: {"DF01": "` + hex.EncodeToString([]byte(canary)) + `"}`, `55: {"70": "5A08` + canary + `"}`, `55: {"72": "860E` + `8424000208` + canary + `00"}`,
			`55: "` + canary + `"`,
		},
		"93": {
			`2: "` + canary + `"`, `31: "` + canary + `"`, `35: "` + track2 + `"`, `43: "` + text + `"`, `72: "` + text + `"`, `95: "` + canary + `"`,
			"2: \"" + canary + "\"\n56: \"" + canary + "\"",
		},
		"2003": {
			`2: "` + canary + `"`, `34: "` + canary + `"`, `43: "` + canary + `"`, `44: "` + hex.EncodeToString([]byte(text)) + `"`, `49: "` + canary + `"`,
			`72: "00` + canary + `"`, `104: "0` + canary + `0"`, `127: "` + canary + `"`, `111: "` + strings.ReplaceAll(hex.EncodeToString([]byte(canary)), "3", "f") + `"`,
		},
		"terminal": {`2: "` + canary + `"`, `35: "` + track2 + `"`, `43: "` + text + strings.Repeat(".", 40-len(text)) + `"`, `55: {"5A": "` + canary + `"}`, `62: "` + text + `"`,
			`63: "` + canary + `"`, `48: "` + apart + `"`},
		"../../iso8583/spec/testdata/packager.xml": {`48: {"07": "` + text + `"}`, `48: {"42": "` + canary + `"}`, `60: {5: "` + canary + `"}`,
			`54: {0: "17", 1: {1: "840", 2: "000000004711"}, 2: "541333987"}`, `63: "` + canary + `"`, `34: "` + canary + `"`, `62: "` + text + `"`},
	}
	return list
}

// mti is a message type that fits a dialect.
func mti(dialect string) string {
	switch dialect {
	case "93":
		return "1200"
	case "2003":
		return "2200"
	}
	return "0200"
}

// told is how a report of raw leaks, as text and as JSON.
func told(t *testing.T, d *msg.Dialect, raw []byte) (form, out string) {
	t.Helper()
	r := d.Explain(raw, false)
	var b bytes.Buffer
	if err := errors.Join(json.NewEncoder(&b).Encode(r), r.WriteText(&b)); err != nil {
		t.Fatal(err)
	}
	return leaks(b.String()), b.String()
}

// TestNoPANInClear: explain, diff and redact show the canary nowhere, whole or
// cut, and even when the wrong dialect is named; with --unsafe they do.
func TestNoPANInClear(t *testing.T) {
	dialects := append(spec.Dialects(), "terminal")
	opened := map[string]*msg.Dialect{}
	open := func(name string) *msg.Dialect {
		if opened[name] == nil {
			d, err := msg.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			opened[name] = d
		}
		return opened[name]
	}
	for dialect, list := range planted() {
		for i, fields := range list {
			name := fmt.Sprintf("%s %d (%.6s)", dialect, i, fields)
			code, out, errs := run(t, "mti: \""+mti(dialect)+"\"\n3: \"000000\"\n"+fields+"\n", "pack", "--spec", dialect)
			if code != cli.ExitOK {
				t.Errorf("%s: %s", name, errs)
				continue
			}
			raw := strings.TrimSpace(out)
			other := file(t, raw[:4]+strings.Repeat("0", 16)) // an empty message
			if dialect == "87ascii" || dialect == "93" {
				other = file(t, raw[:8]+strings.Repeat("30", 16))
			}
			for _, args := range [][]string{{"explain"}, {"explain", "--json"}, {"diff", "-", other}, {"diff", "--json", "-", other}, {"redact"}} {
				_, out, errs := run(t, raw, append(args, "--spec", dialect, "--input", "hex")...)
				if form := leaks(out + errs); form != "" {
					t.Errorf("%s: %v shows the PAN in %s:\n%s%s", name, args, form, out, errs)
				}
			}
			whole, err := hex.DecodeString(raw)
			if err != nil {
				t.Fatal(err)
			}
			for n := range whole {
				if form, out := told(t, open(dialect), whole[:n]); form != "" {
					t.Errorf("%s cut to %d bytes shows the PAN in %s:\n%s", name, n, form, out)
				}
			}
			for _, wrong := range dialects {
				if form, out := told(t, open(wrong), whole); form != "" {
					t.Errorf("%s read as %s shows the PAN in %s:\n%s", name, wrong, form, out)
				}
			}
		}
	}
	code, out, errs := run(t, "0200"+"4000000000000000"+"16"+canary, "explain", "--unsafe", "--spec", "87binary")
	if code != cli.ExitOK || leaks(out) == "" || !strings.Contains(errs, "UNSAFE") {
		t.Errorf("--unsafe: exit %d, %s%s", code, out, errs)
	}
}

// TestPackErrorsHideValues: what pack refuses is named, not repeated.
func TestPackErrorsHideValues(t *testing.T) {
	for name, in := range map[string]string{
		"too long": `2: "` + canary + canary + `"`, "no digits": `4: "` + canary + `"`, "syntax": `2: "` + canary, "number": "2: " + canary,
		"twice": `2: "` + canary + "\"\n2: \"" + canary + `"`, "not hexadecimal": `52: "` + canary + `x"`, "list": "- " + canary,
		"no such field": `193: "` + canary + `"`, "no subfields": `2: {1: "` + canary + `"}`, "tag": `55: {"` + canary + `": "00"}`, "value of a tag": `55: {"5A": "` + canary + `x"}`,
	} {
		code, out, errs := run(t, "mti: \"0200\"\n"+in, "pack", "--spec", "87binary")
		if code != cli.ExitUsage || out != "" || name != "tag" && leaks(errs) != "" || !strings.Contains(errs, "next: ") {
			t.Errorf("%s: exit %d, %s%s", name, code, out, errs)
		}
	}
}
