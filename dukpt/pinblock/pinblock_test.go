package pinblock_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/dukpt/pinblock"
	"tallystick.example/testvectors"
	"tallystick.example/testvectors/vectortest"
)

// pan is the PAN of a case, which formats 1 and 2 do not have.
func pan(v vectortest.Vector) []byte {
	if v.Has("pan") {
		return []byte(v.Text("pan"))
	}
	return nil
}

func TestEncodeVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "pinblock", "pinblock.encode") {
		var random io.Reader = rand.Reader
		if v.Has("fill") { // a byte 0 to 5 makes the fill digit A to F
			fill := []byte(v.Text("fill"))
			for i := range fill {
				fill[i] -= 'A'
			}
			random = bytes.NewReader(fill)
		}
		got, err := pinblock.Encode(pinblock.Format(v.Int("format")), []byte(v.Digits("pin")), pan(v), random)
		if v.Out.Has("prefix") {
			prefix := v.Out.Text("prefix")
			if err != nil || testvectors.Hex(got)[:len(prefix)] != prefix {
				t.Errorf("%s: %X, %v, want %s…", v.Name, got, err, prefix)
			}
			continue
		}
		v.Check(t, "block", got, err)
	}
}

func TestDecodeVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "pinblock", "pinblock.decode") {
		got, err := pinblock.Decode(pinblock.Format(v.Int("format")), v.Hex("block"), pan(v))
		v.Check(t, "pin", string(got), err)
		if v.Reject && !errors.Is(err, pinblock.ErrBlock) {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

func TestFormat4Vectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "pinblock", "pinblock.encipher4") {
		pin, random := []byte(v.Digits("pin")), v.Hex("random")
		field, err := pinblock.Encode(pinblock.ISO4, pin, nil, bytes.NewReader(random))
		v.Check(t, "pin_field", field, err)
		panField, err := pinblock.PANField(pan(v))
		v.Check(t, "pan_field", panField, err)
		block, err := pinblock.Encipher(pinblock.ISO4, v.Hex("key"), pin, pan(v), bytes.NewReader(random))
		v.Check(t, "block", block, err)
	}
	for _, v := range vectortest.Load(t, "pinblock", "pinblock.decipher4") {
		pin, err := pinblock.Decipher(pinblock.ISO4, v.Hex("key"), v.Hex("block"), pan(v))
		v.Check(t, "pin", string(pin), err)
	}
}

// keyFor is a key that the format can use.
func keyFor(f pinblock.Format, b byte) []byte {
	return bytes.Repeat([]byte{b, b + 1, b + 2, b + 3}, 4)[:16:16]
}

func digits(min, max int) *rapid.Generator[[]byte] {
	return rapid.SliceOfN(rapid.ByteRange('0', '9'), min, max)
}

// TestRoundTrip translates random PINs between all allowed formats.
func TestRoundTrip(t *testing.T) {
	formats := []pinblock.Format{0, 1, 2, 3, 4}
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.SampledFrom(formats).Draw(t, "from"), rapid.SampledFrom(formats).Draw(t, "to")
		pin, pan := digits(4, 12).Draw(t, "pin"), digits(12, 19).Draw(t, "pan")
		block, err := pinblock.Encipher(from, keyFor(from, 1), pin, pan, rand.Reader)
		if from == pinblock.ISO2 {
			if !errors.Is(err, pinblock.ErrFormat) {
				t.Fatalf("format 2 enciphered: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		moved, err := pinblock.Translate(pinblock.Side{Format: from, Key: keyFor(from, 1)},
			pinblock.Side{Format: to, Key: keyFor(to, 9)}, block, pan, rand.Reader)
		if !pinblock.Allowed(from, to, pinblock.ToNetwork) {
			if !errors.Is(err, pinblock.ErrFormat) {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pinblock.Decipher(to, keyFor(to, 9), moved, pan); err != nil || !bytes.Equal(got, pin) {
			t.Fatalf("%s to %s: %q, %v, want %q", from, to, got, err, pin)
		}
	})
}

// TestPolicy is PCI PIN requirement 3-3 as a table.
func TestPolicy(t *testing.T) {
	network := map[pinblock.Format][]pinblock.Format{0: {0, 3, 4}, 1: {0, 3, 4}, 2: {}, 3: {0, 3, 4}, 4: {0, 3, 4}, 5: {}}
	card := map[pinblock.Format][]pinblock.Format{0: {2}, 1: {2}, 2: {}, 3: {2}, 4: {2}, 5: {}}
	for from := range network {
		for to := pinblock.Format(-1); to < 7; to++ {
			if got := pinblock.Allowed(from, to, pinblock.ToNetwork); got != slices.Contains(network[from], to) {
				t.Errorf("%s to %s, network: %v", from, to, got)
			}
			if got := pinblock.Allowed(from, to, pinblock.ToCard); got != slices.Contains(card[from], to) {
				t.Errorf("%s to %s, card: %v", from, to, got)
			}
			if pinblock.Allowed(from, to, 7) {
				t.Errorf("%s to %s for an unknown purpose", from, to)
			}
		}
	}
}

func TestEncodeRefusals(t *testing.T) {
	pin, pan := []byte("1234"), []byte("4111111111111111")
	for name, c := range map[string]struct {
		f        pinblock.Format
		pin, pan []byte
		random   io.Reader
		err      error
	}{
		"format":            {5, pin, pan, rand.Reader, pinblock.ErrFormat},
		"negative format":   {-1, pin, pan, rand.Reader, pinblock.ErrFormat},
		"short PIN":         {0, pin[:3], pan, nil, pinblock.ErrPIN},
		"long PIN":          {2, []byte("1234567890123"), pan, nil, pinblock.ErrPIN},
		"hexadecimal PIN":   {0, []byte("12AB"), pan, nil, pinblock.ErrPIN},
		"hexadecimal PAN":   {3, pin, []byte("41111111111111AB"), rand.Reader, pinblock.ErrPAN},
		"long PAN":          {0, pin, []byte("41111111111111111111"), nil, pinblock.ErrPAN},
		"no PAN":            {0, pin, nil, nil, pinblock.ErrPAN},
		"no source":         {1, pin, nil, nil, pinblock.ErrRandom},
		"source at its end": {4, pin, nil, bytes.NewReader(make([]byte, 7)), pinblock.ErrRandom},
		"stuck source":      {3, pin, pan, bytes.NewReader(bytes.Repeat([]byte{0xFF}, 1000)), pinblock.ErrRandom},
	} {
		if got, err := pinblock.Encode(c.f, c.pin, c.pan, c.random); !errors.Is(err, c.err) || got != nil {
			t.Errorf("%s: %X, %v, want %v", name, got, err, c.err)
		}
	}
}

func TestKeysAndFormats(t *testing.T) {
	pin, pan := []byte("1234"), []byte("4111111111111111")
	for f, ok := range map[pinblock.Format][]int{0: {16, 24}, 1: {16, 24}, 2: {}, 3: {16, 24}, 4: {16, 24, 32}} {
		for n := range 34 {
			_, err := pinblock.Encipher(f, make([]byte, n), pin, pan, rand.Reader)
			if (err == nil) != slices.Contains(ok, n) {
				t.Errorf("%s with a key of %d bytes: %v", f, n, err)
			}
		}
	}
	for f := pinblock.Format(0); f <= 4; f++ {
		for n := range 20 {
			if _, err := pinblock.Decipher(f, make([]byte, 16), make([]byte, n), pan); err == nil || n != f.Size() && err != pinblock.ErrBlock && f != 2 {
				t.Errorf("%s with %d bytes: %v", f, n, err)
			}
		}
	}
}

// TestShortPAN shows the account number right-justified (ISO 9564-1:2017, 9.3.2.3).
func TestShortPAN(t *testing.T) {
	got, err := pinblock.Encode(pinblock.ISO0, []byte("1234"), []byte("567"), nil)
	if want := []byte{0x04, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xA9}; err != nil || !bytes.Equal(got, want) {
		t.Errorf("%X, %v, want %X", got, err, want)
	}
}

// TestFormat3FillIsEven shows that the four bytes above 251, which would make A
// to D come more often than E and F, are drawn again.
func TestFormat3FillIsEven(t *testing.T) {
	random := bytes.NewReader(append([]byte{252, 253, 254, 255}, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	got, err := pinblock.Encode(pinblock.ISO3, []byte("1234"), []byte("00"), random)
	if want := []byte{0x34, 0x12, 0x34, 0xFA, 0xAA, 0xAA, 0xAA, 0xAA}; err != nil || !bytes.Equal(got, want) {
		t.Errorf("%X, %v, want %X", got, err, want)
	}
}

// TestCallerMemory shares all slices between goroutines; nothing may be written.
func TestCallerMemory(t *testing.T) {
	key, pin, pan := keyFor(4, 1), []byte("123456"), []byte("4111111111111111")
	block, err := pinblock.Encipher(pinblock.ISO4, key, pin, pan, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if got, err := pinblock.Decipher(pinblock.ISO4, key, block, pan); err != nil || string(got) != "123456" {
					t.Errorf("%v", err)
				}
				if _, err := pinblock.Encipher(pinblock.ISO0, key, pin, pan, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
