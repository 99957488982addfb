package trace

import (
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

func open(t *testing.T) (*Trace, func(name string) string) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	dir := filepath.Join(t.TempDir(), "traces")
	tr, err := Open(dir, false, func() time.Time { return time.UnixMicro(42) }, log)
	if err != nil {
		t.Fatal(err)
	}
	return tr, func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestAPDUsAreMasked(t *testing.T) {
	tr, read := open(t)
	tap := tr.Card()
	tap(unhex("00B2010C00"), unhex("700C5A0841111111111111115A009000"))
	tap(unhex("00B2010C00"), unhex("700A5A0841111111111111119000"))
	tap(unhex("0020008008241234FFFFFFFFFF"), unhex("9000"))
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	got := read("apdu.jsonl")
	if strings.Contains(got, "4111111111111111") || strings.Contains(got, "1234FF") {
		t.Errorf("card data in the trace: %s", got)
	}
	if strings.Count(got, "\n") != 3 || !strings.Contains(got, "00B2") {
		t.Errorf("%s", got)
	}
}

// TestNoCipherTextReachesTheDisk sends the longest secrets that a message can
// hold and looks for them in the file.
func TestNoCipherTextReachesTheDisk(t *testing.T) {
	tr, read := open(t)
	pin, card := strings.Repeat("A5", 16), strings.Repeat("C3", 48)
	m, err := iso8583.NewPayment(iso8583.Payment{
		Header: iso8583.Header{Terminal: "TERM0001", Merchant: "MERCHANT0000001", STAN: 7, At: time.Unix(1e9, 0)},
		Type:   iso8583.Purchase, Amount: iso8583.Amount{Minor: 1234, Currency: 978}, Entry: "051",
		Chip: unhex("82021C009F26080102030405060708" + "9F360200019F100706010A03A00000" + "9F2701809F3704112233449F02060000000012349F03060000000000005F2A0209789A032611259C01009F1A020276950500000080009F3303E0F8C8"),
		Private: iso8583.Private{
			AttemptID: iso8583.AttemptID{1}, MACKSN: make([]byte, 12), PINKSN: make([]byte, 12), DataKSN: make([]byte, 12),
			PINBlock: secret.New(unhex(pin)), CardData: iso8583.CardData{IV: make([]byte, 16), Ciphertext: unhex(card)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := iso8583.SealMAC(m, func([]byte) ([8]byte, error) { return [8]byte{9, 9, 9, 9, 9, 9, 9, 9}, nil })
	if err != nil {
		t.Fatal(err)
	}
	tr.Wire(true, body)
	tr.Wire(false, []byte("not a message"))
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	got := read("wire.jsonl")
	if strings.Contains(got, "A5A5") || strings.Contains(got, "C3C3") {
		t.Errorf("secrets in the trace: %s", got)
	}
	if len(mask(body)) != 2*len(body) || !strings.Contains(got, `"dir":"out"`) || !strings.Contains(got, "0909090909090909") {
		t.Errorf("the message has changed otherwise: %s", got)
	}
}

func TestKernelSteps(t *testing.T) {
	tr, read := open(t)
	tr.Step(kernel.Step{Name: "restrictions", Clause: "B3 10.4", Decision: "none"})
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read("kernel.jsonl"); !strings.Contains(got, `"clause":"B3 10.4"`) {
		t.Error(got)
	}
}

func TestNoTraceWritesNothing(t *testing.T) {
	var tr *Trace
	tr.Wire(true, nil)
	tr.Step(kernel.Step{})
	if tr.Card() != nil || tr.Close() != nil {
		t.Error("a trace that is switched off does something")
	}
}

// TestTornLineIsCutOff: a line that a kill left unfinished does not spoil the next.
func TestTornLineIsCutOff(t *testing.T) {
	for before, want := range map[string]string{
		"":                     "new",
		"{}\n":                 "{}\nnew",
		"{}\n{\"dir\":\"out\"": "{}\nnew",
		"{\"dir":               "new",
	} {
		path := filepath.Join(t.TempDir(), "wire.jsonl")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := openLines(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString("new")
		if got, _ := os.ReadFile(path); err != nil || f.Close() != nil || string(got) != want {
			t.Errorf("after %q: %q, want %q (%v)", before, got, want, err)
		}
	}
}
