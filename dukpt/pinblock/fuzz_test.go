package pinblock_test

import (
	"bytes"
	"testing"

	"tallystick.example/dukpt/pinblock"
	"tallystick.example/testvectors/vectortest"
)

// fuzzDecode checks that no block makes Decode panic, and that what the fixed
// formats accept encodes to the same block.
func fuzzDecode(f *testing.F, format pinblock.Format) {
	vectortest.Seed(f, "pinblock", "pinblock.decode")
	f.Fuzz(func(t *testing.T, block []byte) {
		pan := []byte("4012345678909")
		pin, err := pinblock.Decode(format, block, pan)
		if err != nil {
			return
		}
		if len(pin) < pinblock.MinPIN || len(pin) > pinblock.MaxPIN {
			t.Fatalf("a PIN of %d digits", len(pin))
		}
		again, err := pinblock.Encode(format, pin, pan, bytes.NewReader(make([]byte, 64)))
		if err != nil {
			t.Fatal(err)
		}
		fixed := 1 + (len(pin)+1)/2
		if format == pinblock.ISO0 || format == pinblock.ISO2 {
			fixed = len(block)
		}
		if len(pin)%2 == 1 {
			fixed--
		}
		if !bytes.Equal(again[:fixed], block[:fixed]) && format != pinblock.ISO3 {
			t.Fatalf("%X became %X", block, again)
		}
	})
}

func FuzzDecodeISO0(f *testing.F) { fuzzDecode(f, pinblock.ISO0) }
func FuzzDecodeISO1(f *testing.F) { fuzzDecode(f, pinblock.ISO1) }
func FuzzDecodeISO2(f *testing.F) { fuzzDecode(f, pinblock.ISO2) }
func FuzzDecodeISO3(f *testing.F) { fuzzDecode(f, pinblock.ISO3) }
func FuzzDecodeISO4(f *testing.F) { fuzzDecode(f, pinblock.ISO4) }

// FuzzDecipher checks that no block of any length makes Decipher panic.
func FuzzDecipher(f *testing.F) {
	vectortest.Seed(f, "pinblock", "pinblock.decipher4", "pinblock.translate")
	f.Fuzz(func(t *testing.T, block []byte) {
		for format := pinblock.Format(0); format <= 5; format++ {
			pin, err := pinblock.Decipher(format, keyFor(format, 3), block, []byte("4012345678909"))
			if (err == nil) != (pin != nil) {
				t.Fatalf("%s: a PIN and an error, or neither", format)
			}
		}
	})
}
