package demo_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tallystick.example/internal/cli"
	"tallystick.example/simulator/demo"
)

// bin holds the three programs, built once.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bin")
	if err != nil {
		panic(err)
	}
	bin = dir
	c := exec.Command("go", "build", "-o", dir, "../../agent", "../../host", "../../simulator")
	if out, err := c.CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// run runs the command in this process against the built programs.
func run(t *testing.T, args ...string) (int, map[string]any) {
	t.Helper()
	root := cli.Root("simulator", "", "")
	root.AddCommand(demo.Command())
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), root, append([]string{"demo", "--json", "--bin", bin}, args...), &out, &errs)
	var r map[string]any
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		t.Fatalf("exit %d: %s%s: %v", code, out.Bytes(), errs.Bytes(), err)
	}
	if code != cli.ExitOK {
		t.Errorf("exit %d: %s", code, errs.Bytes())
	}
	return code, r
}

func TestPaymentInBothSchemes(t *testing.T) {
	for _, scheme := range []string{"aes", "tdes"} {
		t.Run(scheme, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "evidence")
			_, r := run(t, "--dukpt", scheme, "--evidence", dir)
			if r["approved"] != true || r["tallies_match"] != true || r["cryptogram_final"] != "TC" || r["reversal_acknowledged"] != true {
				t.Errorf("result %v", r)
			}
			for _, f := range []string{"messages.jsonl", "apdus.jsonl", "frames.jsonl", "test-keys.json"} {
				if st, err := os.Stat(filepath.Join(dir, f)); err != nil || st.Size() == 0 {
					t.Errorf("evidence %s: %v", f, err)
				}
			}
		})
	}
}

// ownCard is a card that a caller wrote, with an issuer key and a PIN of five
// digits that the demo does not know.
const ownCard = `name: own
pse: true
pin: "48213"
applications:
  - {aid: A0000000031010, label: OWN CARD, priority: 1, pan: "4929123456789015", psn: "02", expiry: "4811",
     cardholder: OWN/TEST, currency: "0840", country: "0840", exponent: 2, aip: 1C00,
     cvm_list: "000000000000000042031E031F03", iac: {denial: "0010000000", online: F078FCF800, default: F040640000},
     keys: {profile: visa_cvn10, dki: "01", imk_ac: 89E50794B93D4032E6B5B9CB6DB3C2A4}}
`

func TestACardOfTheCaller(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte(ownCard), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, r := run(t, "--card", file, "--pin", "48213", "--amount", "77.70"); r["approved"] != true || r["arpc_verified"] != true {
		t.Errorf("the right PIN: %v", r)
	}
	if _, r := run(t, "--card", file, "--pin", "11111", "--amount", "77.70"); r["approved"] != false || r["pin_verified"] != false || r["tallies_match"] != true {
		t.Errorf("a wrong PIN: %v", r)
	}
}

// TestEveryBreak: the command itself compares all verdicts with what the break
// must show and ends with another code when they differ.
func TestEveryBreak(t *testing.T) {
	for name, end := range map[string]string{
		"pin": "declined", "issuer-key": "declined", "arpc": "reversed", "mac": "", "ksn-replay": "", "certificate": "",
		"ledger": "approved", "reversal": "open",
	} {
		t.Run(name, func(t *testing.T) {
			if _, r := run(t, "--break", name); r["end"] != end {
				t.Errorf("end %v, want %q", r["end"], end)
			}
		})
	}
}
