//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A fault is a mistake that is planted into the codec's source. PLANTED in with
// stands for the condition that this fault is switched on.
type fault struct{ name, file, at, with string }

var faults = []fault{
	{"length packed one too long", "prefix.go", "	case BCDLength:\n		switch s.width {", "	case BCDLength:\n		if PLANTED {\n			n++\n		}\n		switch s.width {"},
	{"length read one too short", "prefix.go", "		n, why = s.number(raw[off:start])", "		n, why = s.number(raw[off:start])\n		if PLANTED && n > 0 {\n			n--\n		}"},
	{"nibbles swapped", "encode.go", "			dst = append(dst, d<<4)\n", "			if PLANTED {\n				d = d>>4 | d&1<<2 | d>>2&1 | d&10\n			}\n			dst = append(dst, d<<4)\n"},
	{"filling nibble not checked", "content.go", "if n%2 == 1 && content[0]>>4 != 0 {", "if n%2 == 1 && content[0]>>4 != 0 && !PLANTED {"},
	{"filling nibble of a length not checked", "prefix.go", "if s.odd && b[0]>>4 != 0 {", "if s.odd && b[0]>>4 != 0 && !PLANTED {"},
	{"bit of a bitmap ignored", "unpack.go", "			de := w*64 + lead + 1\n", "			de := w*64 + lead + 1\n			if PLANTED && de == 37 {\n				continue\n			}\n"},
	{"second bitmap ignored", "unpack.go", "		more := b.expand && one[0]&0x80 != 0\n", "		more := b.expand && one[0]&0x80 != 0 && !PLANTED\n"},
	{"bytes behind the message accepted", "unpack.go", "if off != len(raw) && !skim {", "if off != len(raw) && !skim && !PLANTED {"},
	{"element beyond the end accepted", "unpack.go", "	if end > len(m.buf) {", "	if end > len(m.buf) && !(PLANTED && end <= cap(m.buf)) {"},
	{"wrong code page", "content.go", "rune(from1047[b])", "rune(page(b, PLANTED))"},
	{"pad character left over", "content.go", "		for len(value) > 0 && value[len(value)-1] == s.pad.Char {\n", "		for len(value) > 1 && value[len(value)-1] == s.pad.Char || len(value) == 1 && value[0] == s.pad.Char && !PLANTED {\n"},
	{"padded on the wrong side", "encode.go", "	if pad.Side == Left {", "	if (pad.Side == Left) != PLANTED {"},
	{"tags of three bytes read as two", "table.go", "		if b[n]&0x80 == 0 {", "		if b[n]&0x80 == 0 || PLANTED {"},
	{"long BER length written short", "prefix.go", "		case n <= 0xFF:\n", "		case n <= 0xFF && !PLANTED:\n"},
	{"lower-case hexadecimal refused", "content.go", "	case c|0x20 >= 'a' && c|0x20 <= 'f':", "	case c|0x20 >= 'a' && c|0x20 <= 'f' && !(PLANTED && c >= 'a'):"},
	{"number overflows", "content.go", "if d > 9 || v > (math.MaxInt64-int64(d))/10 {", "if d > 9 || v > (math.MaxInt64-int64(d))/10 && !PLANTED {"},
	{"bytes behind subfields accepted", "subfields.go", "	if off != end {\n", "	if off != end && !PLANTED {\n"},
	{"short positional composite refused", "subfields.go", "if variable && off >= end {", "if variable && off >= end && !PLANTED {"},
	{"first of a repeated tag found", "value.go", "		if v.m.p.keys[v.m.nodes[i].slot] == key {\n", "		if v.m.p.keys[v.m.nodes[i].slot] == key && !(PLANTED && found.Present()) {\n"},
	{"expiry month not checked", "track.go", "	return month >= 1 && month <= 12\n", "	return month >= 1 && month <= 12 || PLANTED\n"},
	{"maximum of a length not checked", "prefix.go", "	case n > int(s.max):\n", "	case n > int(s.max) && !PLANTED:\n"},
	{"last digit of LBCD lost", "content.go", "			if 2*i+1 < n {", "			if 2*i+1 < n && !(PLANTED && 2*i+2 == n) {"},
	{"unknown tags skipped by a BER length", "table.go", "		unknown.prefix = d.Unknown.Form\n", "		unknown.prefix = d.Unknown.Form\n		if PLANTED {\n			unknown.prefix = BERLength\n		}\n"},
	{"even filling forgotten", "content.go", "	if s.even {\n		n += n & 1\n	}\n	switch s.enc {\n	case BCD, LBCD:\n		return", "	if s.even && !PLANTED {\n		n += n & 1\n	}\n	switch s.enc {\n	case BCD, LBCD:\n		return"},
	{"length of a nested composite lost", "compose.go", "	m.buf = append(s.appendLength(m.buf[:l.start], n), m.tmp...)\n", "	if !PLANTED {\n		m.buf = append(s.appendLength(m.buf[:l.start], n), m.tmp...)\n	}\n"},
	{"changed message packed as it came", "set.go", "	m.dirty = true\n", "	m.dirty = !PLANTED || m.raw == 0\n"},
	{"bit of a composite's bitmap shifted", "compose.go", "		l.bits.set(n)\n", "		if PLANTED && n > 1 {\n			l.bits.set(n - 1)\n		} else {\n			l.bits.set(n)\n		}\n"},
	{"third bitmap written without its bit", "message.go", "		for i := range count - 1 {\n", "		for i := range count - 1 {\n			if PLANTED && i == 1 {\n				continue\n			}\n"},
}

// planted is the file that switches one fault on.
const planted = `package codec

import "os"

var fault = os.Getenv("TALLYSTICK_PLANTED")

func planted(name string) bool { return fault == name }

func page(b byte, wrong bool) byte {
	if wrong {
		return fromEBCDIC[b]
	}
	return from1047[b]
}
`

// TestPlantedFaults builds the tests of this package over a copy of its source
// that holds every fault behind a switch. With none switched on the differential
// tests pass; with any one of them they fail within a minute.
func TestPlantedFaults(t *testing.T) {
	if os.Getenv("TALLYSTICK_PLANTED") != "" {
		return // this is such a build
	}
	bin := plantedBinary(t)
	if out, _, err := differential(t, bin, "nothing", 1); err != nil {
		t.Fatalf("without a fault: %v\n%s", err, out)
	}
	if len(faults) < 14 {
		t.Errorf("only %d faults", len(faults))
	}
	for _, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			for spent, seed := time.Duration(0), 1; spent < time.Minute; seed++ {
				_, took, err := differential(t, bin, f.name, seed)
				if err != nil {
					return
				}
				spent += took
			}
			t.Error("not found within a minute of processor time")
		})
	}
}

// differential runs the tests that compare both codecs, and says how much
// processor time they took: a busy machine must not decide.
func differential(t *testing.T, bin, name string, seed int) (out []byte, took time.Duration, err error) {
	cmd := exec.CommandContext(t.Context(), bin, "-test.run", "^TestAgrees", "-test.timeout", "10m")
	cmd.Env = append(os.Environ(), "TALLYSTICK_PLANTED="+name, fmt.Sprintf("TALLYSTICK_CODEC_SEED=%d", seed))
	out, err = cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err) // it did not run
	}
	return out, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// plantedBinary compiles the tests over the changed sources.
func plantedBinary(t *testing.T) string {
	t.Helper()
	changed := map[string]string{"planted.go": planted}
	for _, f := range faults {
		if changed[f.file] == "" {
			b, err := os.ReadFile(f.file)
			if err != nil {
				t.Fatal(err)
			}
			changed[f.file] = string(b)
		}
		if n := strings.Count(changed[f.file], f.at); n != 1 {
			t.Fatalf("%s: %s holds its place %d times, want once", f.name, f.file, n)
		}
		changed[f.file] = strings.Replace(changed[f.file], f.at, strings.ReplaceAll(f.with, "PLANTED", `planted("`+f.name+`")`), 1)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range changed {
		abs, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		replace[abs] = filepath.Join(dir, file)
		if err := os.WriteFile(replace[abs], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay, bin := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "codec.test")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("building with faults: %v\n%s", err, out)
	}
	return bin
}
