package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/internal/pure/secret"
)

// holder is how secrets really leak: a struct with an unexported secret field
// that somebody prints whole.
type holder struct {
	name string
	pin  secret.Secret
	Pub  secret.Secret
}

func TestNothingPrintsASecret(t *testing.T) {
	const canary = "4929000000006"
	h := holder{name: "x", pin: secret.New([]byte(canary)), Pub: secret.New([]byte(canary))}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "% x"} {
		fmt.Fprintf(&out, verb+"|", h)
		fmt.Fprintf(&out, verb+"|", &h)
		fmt.Fprintf(&out, verb+"|", h.Pub)
		fmt.Fprintf(&out, verb+"|", []any{h.Pub, &h.Pub})
	}
	j, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	ints := strings.Trim(fmt.Sprint([]byte(canary)), "[]")
	hex := fmt.Sprintf("%x", canary)
	for _, leak := range []string{canary, ints, hex, strings.ToUpper(hex)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("printed %q in %q", leak, out.String())
		}
	}
	if !strings.Contains(string(j), "[secret]") {
		t.Errorf("JSON shows %s", j)
	}
	if err := gob.NewEncoder(&bytes.Buffer{}).Encode(h.Pub); err == nil {
		t.Error("gob encoded a secret")
	}
}

func TestOwnershipAndWipe(t *testing.T) {
	b := []byte{1, 2, 3}
	s := secret.New(b)
	b[0] = 9
	if s.Expose()[0] != 1 {
		t.Error("New aliases the caller's memory")
	}
	if !s.Equal(secret.New([]byte{1, 2, 3})) || s.Equal(secret.New([]byte{1, 2})) {
		t.Error("Equal is wrong")
	}
	kept, dup := s.Expose(), s
	s.Wipe()
	if !bytes.Equal(kept, []byte{0, 0, 0}) || !dup.IsZero() {
		t.Errorf("after Wipe: %v, copy empty %v", kept, dup.IsZero())
	}
	var zero secret.Secret
	zero.Wipe()
	if zero.Len() != 0 || !zero.IsZero() {
		t.Error("the zero Secret is not empty")
	}
}
