package msg_test

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/msg"
)

// TestPack: YAML and JSON become the bytes that others pack, also with subfields,
// tags and a frame.
func TestPack(t *testing.T) {
	for _, tc := range []struct{ name, in, want, spec, frame string }{
		{"echo", "mti: \"0800\"\n7: \"1219112510\"\n11: \"000001\"\n70: \"301\"", "08008220000000000000040000000000000012191125100000010301", "87binary", ""},
		{"JSON in a frame", `{"0": "0800", "70": "301"}`, "0014" + "0800" + "8000000000000000" + "0400000000000000" + "0301", "87binary", "binary2"},
		{"tags and amounts", "mti: \"0200\"\n28: {1: \"D\", 2: \"00000042\"}\n55: {\"9F02\": \"000000001234\", \"5F2A\": \"0840\"}",
			"0200" + "0000001000000200" + "4400000042" + "0014" + "9F0206000000001234" + "5F2A020840", "87binary", ""},
		{"subfields in any order", "mti: \"0210\"\n54: {2: more, 1: {2: \"000000004711\", 1: \"840\"}, 0: \"17\"}\n60: {33: \"Y\", 2: \"1231\", 5: hello}\n48: {\"07\": seven}",
			"0210" + "0000000000010410" + hex.EncodeToString([]byte("009"+"0705seven")) + "0016" + "17" + "09" + "383430" + "000000004711" + "34" + "6D6F7265" +
				"0017" + "4800000080000000" + "1231" + "05" + "68656C6C6F" + "59", "../../iso8583/spec/testdata/packager.xml", ""},
	} {
		args := []string{"pack", "--spec", tc.spec}
		if tc.frame != "" {
			args = append(args, "--frame", tc.frame)
		}
		code, out, errs := run(t, tc.in, args...)
		if code != cli.ExitOK || !strings.EqualFold(strings.TrimSpace(out), tc.want) {
			t.Errorf("%s: exit %d\n%s, want\n%s\n%s", tc.name, code, out, tc.want, errs)
		}
		raw, err := hex.DecodeString(tc.want)
		if err != nil {
			t.Fatal(err)
		}
		if _, out, _ := run(t, tc.in, append(args, "--binary")...); out != string(raw) {
			t.Errorf("%s: in binary %X", tc.name, out)
		}
	}
	for name, in := range map[string]string{
		"number": "mti: \"0200\"\n11: 001234", "short": "mti: \"0200\"\n11: \"1234\"", "no MTI": `3: "000000"`, "bitmap": "mti: \"0200\"\n1: \"00\"",
		"no element": "mti: \"0200\"\n65: \"00\"", "missing subfield": "mti: \"0200\"\n28: {1: \"D\"}", "text for subfields": "mti: \"0200\"\n28: \"D00000042\"",
	} {
		if code, out, _ := run(t, in, "pack", "--spec", "87binary"); code != cli.ExitUsage || out != "" {
			t.Errorf("%s: exit %d, %s", name, code, out)
		}
	}
	if _, _, errs := run(t, "mti: \"0200\"\n11: \"1234\"", "pack", "--spec", "87binary"); !strings.Contains(errs, "systems trace") || !strings.Contains(errs, "length 6") {
		t.Errorf("a short STAN: %s", errs)
	}
}

func TestDiff(t *testing.T) {
	a := file(t, build(nil))
	b := file(t, build(map[string]string{"4": "000000009999", "2": "16" + "4761739901010010", "55": "0017" + "9F2608A1B2C3D4E5F60719" + "5F2A020840" + "00"}))
	if code, out, _ := run(t, "", "diff", "--spec", "87binary", a, a); code != cli.ExitOK || !strings.Contains(out, "no difference") {
		t.Errorf("the same: exit %d, %s", code, out)
	}
	code, out, _ := run(t, "", "diff", "--json", "--spec", "87binary", a, b)
	var list []msg.Difference
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != cli.ExitFailed {
		t.Fatalf("exit %d, %v", code, err)
	}
	got := map[string]msg.Difference{}
	for _, d := range list {
		got[d.Path] = d
	}
	if len(list) != 4 || got["4"].A != "000000001234" || got["4"].B != "000000009999" || !got["2"].Masked || got["55.9F26"].B != "A1B2C3D4E5F60719" || !got["55"].Masked {
		t.Errorf("%+v", list)
	}
	c := file(t, "0200"+"3000000000000000"+"000000"+"000000001234")
	if code, out, _ := run(t, "", "diff", "--spec", "87binary", c, a); code != cli.ExitFailed || !strings.Contains(out, "absent") {
		t.Errorf("absent: exit %d, %s", code, out)
	}
	if code, _, errs := run(t, "", "diff", "--spec", "87binary", a, file(t, "02")); code != cli.ExitFailed || !strings.Contains(errs, "broken at byte 0") {
		t.Errorf("broken: exit %d, %s", code, errs)
	}
}

// TestRedact: what is left reads well, keeps every length, and differs only where
// card data were.
func TestRedact(t *testing.T) {
	in := "mti: \"0200\"\n2: \"" + canary + "\"\n3: \"000000\"\n14: \"4912\"\n35: \"" + canary + "=49122011234500000000\"\n48: \"x " + canary + "\"\n52: \"0123456789ABCDEF\"\n" +
		`55: {"9F26": "A1B2C3D4E5F60718", "5A": "` + canary + `", "57": "` + canary + `D4912201"}`
	for _, dialect := range []string{"87binary", "87ascii"} {
		if dialect == "87ascii" {
			in = strings.Split(in, "55: ")[0] + `55: "9F2608A1B2C3D4E5F607185A08` + canary + `"`
		}
		_, packed, errs := run(t, in, "pack", "--spec", dialect)
		code, out, errs2 := run(t, packed, "redact", "--spec", dialect, "--input", "hex")
		if code != cli.ExitOK || len(out) != len(packed) || leaks(out) != "" {
			t.Fatalf("%s: exit %d\n%s%s%s", dialect, code, out, errs, errs2)
		}
		_, out, _ = run(t, out, "explain", "--unsafe", "--json", "--spec", dialect, "--input", "hex")
		var r msg.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || r.Broken != nil {
			t.Fatalf("%s: %v, %v", dialect, err, r.Broken)
		}
		for _, f := range r.Fields {
			want, ok := map[string]string{"2": canary[:6] + "111111" + canary[12:], "3": "000000", "14": "1111", "52": "0000000000000000",
				"35": strings.Repeat("1", 16) + "=" + strings.Repeat("1", 20), "55.5A": "0000000000000000"}[f.Path]
			if ok && f.Value != want && dialect == "87binary" {
				t.Errorf("%s: field %s is %s, want %s", dialect, f.Path, f.Value, want)
			}
		}
	}
	if code, out, errs := run(t, "0200"+"4000000000000000"+"16"+canary[:10], "redact", "--spec", "87binary"); code != cli.ExitFailed || out != "" || !strings.Contains(errs, "nothing of it is given out") {
		t.Errorf("a broken message: exit %d, %s%s", code, out, errs)
	}
}

// host answers each frame with what reply makes of it.
func host(t *testing.T, l net.Listener, g iso8583.Framing, reply func(iso8583.Frame) []iso8583.Frame) {
	t.Helper()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer c.Close()
				for {
					f, err := g.Read(c, nil)
					if err != nil {
						return
					}
					for _, a := range reply(f) {
						if err := g.Write(c, a); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const echo = "0800" + "8220000000000000" + "0400000000000000" + "1219112510" + "000001" + "0301"

// answerTo turns an echo into its answer, with the TPDU swapped.
func answerTo(f iso8583.Frame) []iso8583.Frame {
	body := bytes.Clone(f.Body)
	body[1] = 0x10
	a := iso8583.Frame{Body: body}
	if !f.TPDU.IsZero() {
		a.TPDU = f.TPDU.Swap()
	}
	return []iso8583.Frame{a}
}

func TestSend(t *testing.T) {
	for _, name := range iso8583.LengthHeaderNames() {
		h, _ := iso8583.LengthHeaderOf(name)
		g := iso8583.Framing{Header: h}
		l := listen(t)
		host(t, l, g, func(f iso8583.Frame) []iso8583.Frame {
			if h == iso8583.VML { // a poll comes first and is passed over
				return append([]iso8583.Frame{{}}, answerTo(f)...)
			}
			return answerTo(f)
		})
		code, out, errs := run(t, echo, "send", "--spec", "87binary", "--to", l.Addr().String(), "--frame", name, "--tpdu", "6000010002", "--json")
		var r msg.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != cli.ExitOK {
			t.Errorf("%s: exit %d, %v, %s", name, code, err, errs)
			continue
		}
		if r.Fields[0].Value != "0810" || r.Frame == nil || r.Frame.TPDU != "6000020001" {
			t.Errorf("%s: %+v, frame %+v", name, r.Fields[0], r.Frame)
		}
	}
}

func TestSendFails(t *testing.T) {
	silent, garbage := listen(t), listen(t)
	host(t, silent, iso8583.Framing{}, func(iso8583.Frame) []iso8583.Frame { return nil })
	host(t, garbage, iso8583.Framing{}, func(iso8583.Frame) []iso8583.Frame { return []iso8583.Frame{{Body: []byte{8, 16, 0}}} })
	closed := listen(t)
	nobody := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		code int
		args []string
	}{
		"nobody":          {cli.ExitUnavailable, []string{"--to", nobody}},
		"silence":         {cli.ExitUnavailable, []string{"--to", silent.Addr().String(), "--timeout", "50ms"}},
		"garbage":         {cli.ExitFailed, []string{"--to", garbage.Addr().String()}},
		"another frame":   {cli.ExitUnavailable, []string{"--to", garbage.Addr().String(), "--frame", "binary4", "--timeout", "200ms"}},
		"no frame":        {cli.ExitUsage, []string{"--to", nobody, "--frame", "none"}},
		"no address":      {cli.ExitUsage, nil},
		"bad TPDU":        {cli.ExitUsage, []string{"--to", nobody, "--tpdu", "00"}},
		"key without":     {cli.ExitUsage, []string{"--to", nobody, "--tls", "--key", "k"}},
		"CA that is none": {cli.ExitUsage, []string{"--to", nobody, "--ca", file(t, "x")}},
	} {
		if code, out, errs := run(t, echo, append([]string{"send", "--spec", "87binary"}, tc.args...)...); code != tc.code {
			t.Errorf("%s: exit %d, want %d: %s%s", name, code, tc.code, out, errs)
		}
	}
}

// TestSendTLS: with a client certificate the host answers, without it does not.
func TestSendTLS(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ca, caPEM, _, err := xtls.NewCA("test", true, time.Now())
	must(err)
	serverKey, serverKeyPEM, err := xtls.NewKey()
	must(err)
	serverPEM, err := ca.SignServer(serverKey.Public(), []string{"localhost", "127.0.0.1"}, time.Now())
	must(err)
	key, keyPEM, err := xtls.NewKey()
	must(err)
	id := xtls.Identity{Terminal: "TERM0001", Merchant: "MERCHANT0000001"}
	request, err := xtls.NewRequest(key, id)
	must(err)
	cert, err := ca.SignTerminal(request, id, time.Now())
	must(err)
	pair, err := tls.X509KeyPair(serverPEM, serverKeyPEM)
	must(err)
	pool, err := xtls.Pool(caPEM)
	must(err)
	l := tls.NewListener(listen(t), &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	host(t, l, iso8583.Framing{}, answerTo)
	args := []string{"send", "--spec", "87binary", "--to", l.Addr().String(), "--ca", put("ca", caPEM), "--server-name", "localhost"}
	if code, out, errs := run(t, echo, append(args, "--cert", put("cert", cert), "--key", put("key", keyPEM))...); code != cli.ExitOK || !strings.Contains(out, "0810") {
		t.Errorf("with certificate: exit %d, %s%s", code, out, errs)
	}
	if code, _, _ := run(t, echo, args...); code != cli.ExitUnavailable {
		t.Errorf("without certificate: exit %d", code)
	}
	if code, _, _ := run(t, echo, append(args, "--cert", "none", "--key", "none")...); code != cli.ExitUsage {
		t.Errorf("certificate that is not there: exit %d", code)
	}
}

// TestTerminalInterface: private data are told by tag, and rules beyond the layout
// are said.
func TestTerminalInterface(t *testing.T) {
	m := iso8583.New(iso8583.NetworkRequest)
	m.SetDigits(7, "1124130509")
	m.SetDigits(11, "001234")
	m.SetText(41, "TERM0001")
	m.SetText(42, "MERCHANT0000001")
	m.SetDigits(70, iso8583.Echo)
	m.SetPrivate(iso8583.Private{AttemptID: iso8583.AttemptID{15: 7}})
	raw, err := iso8583.Pack(m)
	if err != nil {
		t.Fatal(err)
	}
	code, r := explain(t, fmt.Sprintf("%X", raw))
	tags := 0
	for _, f := range r.Fields {
		if strings.HasPrefix(f.Path, "63.") {
			tags++
		}
	}
	if code != cli.ExitOK || tags != 1 || !strings.Contains(fmt.Sprint(r.Fields), "echo") {
		t.Errorf("exit %d, %+v", code, r)
	}
	_, r = explain(t, "0800"+"0020000000000000"+"001234")
	if !strings.Contains(strings.Join(r.Notes, " "), "the terminal interface refuses it") {
		t.Errorf("a rule that is broken: %v", r.Notes)
	}
}
