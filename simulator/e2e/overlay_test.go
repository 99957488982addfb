package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A stage is a place in the programs where a secret is at hand, and what a panic
// there would have in its message.
type stage struct {
	name   string
	file   string // from the module's root
	anchor string // statement that stands there once; the panic comes behind it
	before bool   // or before it
	values string // expressions of type []byte
	by     provocation
	holds  []string // canaries that the values hold
}

// A provocation is what makes a program pass a stage.
type provocation int

const (
	byPayment    provocation = iota // a sale of the agent
	byClearPAN                      // a terminal that sends DE 2
	byCardAdd                       // host card add, while the host runs
	byCardAddCLI                    // host card add, while it does not
	byKeyLoad                       // agent key load
)

// stages are the steps of a payment and of what comes before it.
func stages() []stage {
	const (
		card    = "agent/internal/terminal/card.go"
		request = "agent/internal/core/request.go"
		sale    = "agent/internal/core/sale.go"
		verify  = "internal/hsm/soft/verify.go"
	)
	pan, pin, both := []string{"PAN"}, []string{"PIN"}, []string{"PAN", "PIN"}
	return []stage{
		{"agent: key load", "agent/app/key.go", "\tdefer ik.Wipe()\n", false, "ik.Expose()", byKeyLoad, []string{"agent: initial key"}},
		{"agent: card read", card, "\ts.first, err = s.session.First(s.ctx, s.transaction())\n", false,
			"s.first.Card.PAN.Expose(), s.first.Card.Track2.Expose()", byPayment, pan},
		{"agent: digits typed", "agent/internal/device/keypad.go", "\t\t\tif done {\n", false, "e.digits[:e.n]", byPayment, pin},
		{"agent: PIN captured", card, "\tblock, err := keys.EncryptPIN(", true, "pin.Expose(), card.PAN.Expose()", byPayment, both},
		{"agent: request built", request, "\tbody, err := seal(m, s.keys)\n", true, "cardObjects(s.first.Card)", byPayment, pan},
		{"agent: answered", sale, "\ts.answer = r.Answer\n", false, "s.first.Card.PAN.Expose()", byPayment, pan},
		{"agent: card completed", card, "\ts.last = s.session.Second(ctx, a)\n", false, "s.first.Card.PAN.Expose()", byPayment, pan},
		{"host: message read", "host/internal/gateway/exchange.go", "\tm, err := iso8583.Unpack(x.frame.Body)\n", false, "x.frame.Body", byClearPAN, pan},
		{"host: card issued", "host/app/card.go", "\t\tdefer req.PIN.Wipe()\n", false, "pan.Expose(), req.PIN.Expose()", byCardAdd, both},
		{"host: card issued by the command", "host/app/card.go", "\t\tdefer req.PIN.Wipe()\n", false, "pan.Expose(), req.PIN.Expose()", byCardAddCLI, both},
		{"boundary: card personalized", "internal/hsm/soft/reference.go", "\tdefer blob.Wipe()\n", false, "p.PAN.Expose(), p.PIN.Expose()", byCardAdd, both},
		{"boundary: key imported", "internal/hsm/soft/admin.go", "\tvalue := secret.New(r.Key.Expose())\n", false, "value.Expose()", byCardAdd, []string{"issuer master key"}},
		{"boundary: card data deciphered", "internal/hsm/soft/open.go", "\tdefer plain.Wipe()\n", false, "plain.Expose()", byPayment, pan},
		{"boundary: cryptogram verified", verify, "\tright, err := core.VerifyARQC(imk, c)\n", false, "o.card.PAN.Expose()", byPayment, pan},
		{"boundary: PIN deciphered", verify, "\tdefer pin.Wipe()\n", false, "pin.Expose(), o.card.PAN.Expose()", byPayment, both},
		{"boundary: answer sealed", "internal/hsm/soft/answer.go", "\tout.Answer, err = iso8583.SealMAC(m, o.response.Sum)\n", false, "o.card.PAN.Expose()", byPayment, pan},
	}
}

// A redaction is a place where the programs hide what they print, and what is
// there instead when the test switches it off.
type redaction struct{ file, anchor, instead string }

func redactions() []redaction {
	return []redaction{
		{"internal/xlog/recover.go", `"kind": kind(v)`, `"kind": provoke.Value(kind(v), v)`},
		{"internal/xlog/xlog.go", "\treturn Scrub(b), nil\n", "\tif provoke.Unredacted() {\n\t\treturn b, nil\n\t}\n\treturn Scrub(b), nil\n"},
		{"agent/app/app.go", `"agent: an internal fault (%T)\n", v)`, `"agent: an internal fault (%s)\n", provoke.Value(fmt.Sprintf("%T", v), v))`},
	}
}

// provoked builds the programs with a panic at each stage and with a switch for
// redaction. The sources themselves are not touched: the compiler is given others
// in their place.
func provoked(t *testing.T) string {
	t.Helper()
	const root = "../.."
	changed := map[string]string{}
	edit := func(file, anchor, with string) {
		t.Helper()
		if changed[file] == "" {
			b, err := os.ReadFile(filepath.Join(root, file))
			must(t, err)
			changed[file] = strings.Replace(string(b), "import (\n", "import (\n\t\"tallystick.example/internal/provoke\"\n", 1)
		}
		if n := strings.Count(changed[file], anchor); n != 1 {
			t.Fatalf("%s holds %q %d times, want once", file, anchor, n)
		}
		changed[file] = strings.Replace(changed[file], anchor, with, 1)
	}
	calls := map[[2]string]string{} // of all stages at one anchor
	for _, s := range stages() {
		calls[[2]string{s.file, s.anchor}] += "provoke.At(\"" + s.name + "\", " + s.values + ")\n"
	}
	done := map[[2]string]bool{}
	for _, s := range stages() {
		at := [2]string{s.file, s.anchor}
		if done[at] {
			continue
		}
		done[at] = true
		if s.before {
			edit(s.file, s.anchor, calls[at]+s.anchor)
		} else {
			edit(s.file, s.anchor, s.anchor+calls[at])
		}
	}
	for _, r := range redactions() {
		edit(r.file, r.anchor, r.instead)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	put := func(file, text string) {
		abs, err := filepath.Abs(filepath.Join(root, file))
		must(t, err)
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		must(t, os.WriteFile(path, []byte(text), 0o600))
		replace[abs] = path
	}
	for file, text := range changed {
		put(file, text)
	}
	b, err := os.ReadFile("testdata/provoke.go.txt")
	must(t, err)
	put("internal/provoke/provoke.go", string(b))
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	path := filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(path, overlay, 0o600))
	bin, err := build("-overlay", path)
	must(t, err)
	return bin
}
