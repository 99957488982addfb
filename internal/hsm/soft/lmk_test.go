package soft

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"tallystick.example/internal/pure/secret"
)

func component(b byte) secret.Secret { return secret.New(bytes.Repeat([]byte{b}, ComponentLen)) }

func TestFormLMK(t *testing.T) {
	lmk, err := FormLMK([]secret.Secret{component(0x0F), component(0xF1), component(0x02)})
	if err != nil || !lmk.Equal(component(0x0F^0xF1^0x02)) {
		t.Errorf("three components: %v", err)
	}
	for name, c := range map[string][]secret.Secret{
		"one":           {component(1)},
		"four":          {component(1), component(2), component(4), component(8)},
		"same twice":    {component(1), component(1), component(2)},
		"zero":          {component(1), component(0)},
		"cancelling":    {component(1), component(2), component(3)},
		"half a length": {component(1), secret.New(make([]byte, 16))},
	} {
		if _, err := FormLMK(c); !errors.Is(err, ErrComponents) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Components are read as custodians write them: hex digits in any grouping.
func TestComponentFiles(t *testing.T) {
	hex := strings.Repeat("0F", 32)
	c, err := ParseComponent([]byte(hex[:30] + " \n" + hex[30:] + "\n"))
	if err != nil || !c.Equal(component(0x0F)) {
		t.Errorf("parsing a component: %v", err)
	}
	check, err := ComponentCheck(c)
	if err != nil || len(check) != 10 {
		t.Errorf("check value %q, %v", check, err)
	}
	for _, bad := range []string{"", hex[:62], hex + "00", hex[:62] + "0x", hex[:62] + "GG"} {
		if _, err := ParseComponent([]byte(bad)); !errors.Is(err, ErrComponents) {
			t.Errorf("%d characters: %v", len(bad), err)
		}
	}
	if _, err := ComponentCheck(secret.New([]byte("short"))); !errors.Is(err, ErrComponents) {
		t.Errorf("check value of a short component: %v", err)
	}
}

func TestPassphrase(t *testing.T) {
	salt := bytes.Repeat([]byte{1}, saltLen)
	a, err := stretch(secret.New([]byte("correct horse battery")), salt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := stretch(secret.New([]byte("correct horse batterz")), salt)
	if err != nil || a.Equal(b) || a.Len() != ComponentLen {
		t.Errorf("two passphrases make one key, %v", err)
	}
	if _, err := stretch(secret.New([]byte("short")), salt); err == nil {
		t.Error("a short passphrase was accepted")
	}
	x, err := derive(a, "one")
	if err != nil {
		t.Fatal(err)
	}
	y, err := derive(a, "two")
	if err != nil || x.Equal(y) || x.Equal(a) {
		t.Errorf("derived keys are not apart: %v", err)
	}
}

// all gives the same byte for ever.
type all byte

func (a all) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(a)
	}
	return len(p), nil
}

func TestTokens(t *testing.T) {
	seen := map[string]bool{}
	counter := &counting{}
	for range 2000 {
		tok, err := newToken(counter)
		if err != nil {
			t.Fatal(err)
		}
		if !validToken(tok) || seen[tok] || digitRun(tok) > maxDigitRun {
			t.Fatalf("token %q", tok)
		}
		seen[tok] = true
	}
	// Bits that are all one read as the digit 7 in base32.
	if _, err := newToken(all(0xFF)); err == nil {
		t.Error("a source that gives the digit 7 only made a token")
	}
	if _, err := newToken(io.LimitReader(all(1), 3)); err == nil {
		t.Error("three bytes made a token")
	}
	for _, bad := range []string{"", "T", strings.Repeat("A", TokenLen), "T" + strings.Repeat("1", tokenChars), "T" + strings.Repeat("a", tokenChars)} {
		if validToken(bad) {
			t.Errorf("%q is no token", bad)
		}
	}
}

// counting is a source that never repeats.
type counting struct{ n uint64 }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.n = c.n*6364136223846793005 + 1442695040888963407
		p[i] = byte(c.n >> 56)
	}
	return len(p), nil
}
