package keyblock_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/dukpt/keyblock"
	"tallystick.example/testvectors/vectortest"
)

func TestUnwrapVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "keyblock", "keyblock.unwrap") {
		h, key, err := keyblock.Unwrap(v.Hex("kbpk"), v.Text("block"))
		v.Check(t, "key", key, err)
		v.Check(t, "header", map[string]any{
			"version": string(rune(h.Version)), "length": len(v.Text("block")), "usage": h.Usage,
			"algorithm": string(rune(h.Algorithm)), "mode": string(rune(h.Mode)), "key_version": h.KeyVersion,
			"exportability": string(rune(h.Exportability)), "optional_blocks": len(h.Optional),
		}, err)
	}
}

// TestEveryCharacterCounts changes every character of good blocks, one at a
// time, to every other printable one: nothing may be accepted.
func TestEveryCharacterCounts(t *testing.T) {
	for _, v := range vectortest.Load(t, "keyblock", "keyblock.unwrap") {
		if v.Reject || !slices.Contains([]string{"keyblock/unwrap/001", "keyblock/unwrap/004", "keyblock/unwrap/006", "keyblock/unwrap/024"}, v.Name) {
			continue
		}
		block, kbpk := v.Text("block"), v.Hex("kbpk")
		for i := range len(block) {
			for c := byte(0x1F); c < 0x81; c++ {
				if c == block[i] {
					continue
				}
				changed := block[:i] + string([]byte{c}) + block[i+1:]
				if _, _, err := keyblock.Unwrap(kbpk, changed); err == nil {
					t.Errorf("%s: %q instead of %q at %d was accepted", v.Name, c, block[i], i)
				}
			}
		}
		for n := range len(block) {
			if _, _, err := keyblock.Unwrap(kbpk, block[:n]); err == nil {
				t.Errorf("%s: %d characters were accepted", v.Name, n)
			}
		}
	}
}

func header(usage string, algorithm, mode byte, optional ...keyblock.Block) keyblock.Header {
	return keyblock.Header{Usage: usage, Algorithm: algorithm, Mode: mode, KeyVersion: "00", Exportability: 'N', Optional: optional}
}

func TestWrapRoundTrip(t *testing.T) {
	headers := []keyblock.Header{header("B0", 'A', 'X'), header("P0", 'T', 'E'), header("M7", 'H', 'C'), header("K1", 'A', 'B')}
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom(headers).Draw(t, "header")
		sizes := map[byte][]int{'A': {16, 24, 32}, 'T': {16, 24}, 'H': {16, 20, 32}}[h.Algorithm]
		key := rapid.SliceOfN(rapid.Byte(), 1, 32).Draw(t, "key")
		key = append(key, make([]byte, 32)...)[:rapid.SampledFrom(sizes).Draw(t, "size")]
		kbpk := append(rapid.SliceOfN(rapid.Byte(), 1, 32).Draw(t, "kbpk"), make([]byte, 32)...)[:32]
		for range rapid.IntRange(0, 4).Draw(t, "blocks") {
			id := rapid.StringMatching(`[0-9A-Z]{2}`).Draw(t, "id")
			_, twice := h.Find(id)
			if !twice && !slices.Contains([]string{"KS", "IK", "KC", "KP", "PB"}, id) {
				data := rapid.StringMatching(`[ -~]{0,300}`).Draw(t, "data")
				h.Optional = append(slices.Clone(h.Optional), keyblock.Block{ID: id, Data: data})
			}
		}
		block, err := keyblock.Wrap(kbpk, h, key, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, gotKey, err := keyblock.Unwrap(kbpk, block)
		if err != nil || !bytes.Equal(gotKey, key) {
			t.Fatalf("%v, key is the same: %v", err, bytes.Equal(gotKey, key))
		}
		kept := slices.DeleteFunc(got.Optional, func(b keyblock.Block) bool { return b.ID == keyblock.IDPadding })
		if got.Usage != h.Usage || got.Version != 'D' || got.Context != '0' || !slices.Equal(kept, h.Optional) {
			t.Fatalf("%+v became %+v", h, got)
		}
	})
}

// TestLengthIsHidden wraps keys of different lengths: blocks have the same.
func TestLengthIsHidden(t *testing.T) {
	kbpk := make([]byte, 32)
	for _, c := range []struct {
		h       keyblock.Header
		lengths []int
		want    int
	}{{header("D0", 'A', 'B'), []int{16, 24, 32}, 144}, {header("P0", 'T', 'B'), []int{16, 24}, 112}, {header("M7", 'H', 'G'), []int{16, 20, 32}, 144}} {
		for _, n := range c.lengths {
			block, err := keyblock.Wrap(kbpk, c.h, make([]byte, n), rand.Reader)
			if err != nil || len(block) != c.want {
				t.Errorf("%c key of %d bytes: %d characters, %v, want %d", c.h.Algorithm, n, len(block), err, c.want)
			}
		}
	}
}

func TestTypedBlocks(t *testing.T) {
	kbpk, key := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16)
	kc, err := keyblock.CheckValue(keyblock.IDCheckKey, 'A', key)
	if err != nil {
		t.Fatal(err)
	}
	kp, err := keyblock.CheckValue(keyblock.IDCheckKBPK, 'A', kbpk)
	if err != nil {
		t.Fatal(err)
	}
	ik := keyblock.InitialKeyID([]byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56})
	block, err := keyblock.Wrap(kbpk, header("B1", 'A', 'X', ik, kc, kp), key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := keyblock.Unwrap(kbpk, block)
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := h.Find("IK"); !ok || id != "1234567890123456" {
		t.Errorf("IK is %q", id)
	}
	if len(block)%16 != 0 || len(h.Optional) != 4 || h.Optional[3].ID != "PB" {
		t.Errorf("%s: %+v", block, h.Optional)
	}
	// A block that Unwrap gave can be wrapped again.
	if _, err := keyblock.Wrap(kbpk, h, key, rand.Reader); err != nil {
		t.Error(err)
	}
	other, err := keyblock.CheckValue(keyblock.IDCheckKey, 'A', kbpk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyblock.Wrap(kbpk, header("B1", 'A', 'X', other), key, rand.Reader); !errors.Is(err, keyblock.ErrKey) {
		t.Errorf("a wrong KC: %v", err)
	}
	kp.Data = kc.Data // of the other key
	if _, err := keyblock.Wrap(kbpk, header("B1", 'A', 'X', kp), key, rand.Reader); !errors.Is(err, keyblock.ErrKBPK) {
		t.Errorf("a wrong KP: %v", err)
	}
	for _, bad := range []keyblock.Block{{"KS", "XY"}, {"KS", ""}, {"IK", "12"}, {"KC", "02AABBCC"}, {"KC", "00"}, {"K", "1"}, {"k1", "1"}, {"ZZ", "\n"}} {
		if _, err := keyblock.Wrap(kbpk, header("B1", 'A', 'X', bad), key, rand.Reader); !errors.Is(err, keyblock.ErrFormat) {
			t.Errorf("block %q: %v", bad, err)
		}
	}
	if _, err := keyblock.Wrap(kbpk, header("B1", 'A', 'X', ik, ik), key, rand.Reader); !errors.Is(err, keyblock.ErrFormat) {
		t.Errorf("a block twice: %v", err)
	}
	if _, err := keyblock.CheckValue("KC", 'H', key); !errors.Is(err, keyblock.ErrKey) {
		t.Errorf("check value of an HMAC key: %v", err)
	}
}

func TestWrapRefusals(t *testing.T) {
	kbpk := make([]byte, 16)
	for name, c := range map[string]struct {
		kbpk, key int
		h         keyblock.Header
		random    bool
		err       error
	}{
		"usage":             {16, 16, header("ZZ", 'A', 'X'), true, keyblock.ErrPolicy},
		"algorithm":         {16, 16, header("B0", 'Q', 'X'), true, keyblock.ErrPolicy},
		"mode":              {16, 16, header("P0", 'A', 'V'), true, keyblock.ErrPolicy},
		"no restriction":    {16, 16, header("B0", 'A', 'N'), true, keyblock.ErrPolicy},
		"key length":        {16, 15, header("B0", 'A', 'X'), true, keyblock.ErrKey},
		"single DES":        {16, 8, header("P0", 'T', 'E'), true, keyblock.ErrKey},
		"no key":            {16, 0, header("M7", 'H', 'C'), true, keyblock.ErrKey},
		"no kbpk":           {0, 16, header("B0", 'A', 'X'), true, keyblock.ErrKBPK},
		"kbpk of 33":        {33, 16, header("B0", 'A', 'X'), true, keyblock.ErrKBPK},
		"kbpk too weak":     {16, 32, header("B0", 'A', 'X'), true, keyblock.ErrKBPK},
		"no randomness":     {16, 16, header("B0", 'A', 'X'), false, keyblock.ErrRandom},
		"version B":         {16, 16, keyblock.Header{Version: 'B', Usage: "B0", Algorithm: 'T', Mode: 'X', KeyVersion: "00", Exportability: 'N'}, true, keyblock.ErrVersion},
		"lower-case usage":  {16, 16, header("b0", 'A', 'X'), true, keyblock.ErrFormat},
		"no exportability":  {16, 16, keyblock.Header{Usage: "B0", Algorithm: 'A', Mode: 'X', KeyVersion: "00"}, true, keyblock.ErrFormat},
		"key version":       {16, 16, keyblock.Header{Usage: "B0", Algorithm: 'A', Mode: 'X', KeyVersion: "0c", Exportability: 'N'}, true, keyblock.ErrFormat},
		"context":           {16, 16, keyblock.Header{Usage: "B0", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N', Context: '3'}, true, keyblock.ErrFormat},
		"too much to write": {16, 16, header("B0", 'A', 'X', keyblock.Block{ID: "ZZ", Data: strings.Repeat("x", 9900)}), true, keyblock.ErrFormat},
	} {
		source := rand.Reader
		if !c.random {
			source = nil
		}
		got, err := keyblock.Wrap(append(kbpk, make([]byte, 20)...)[:c.kbpk], c.h, make([]byte, c.key), source)
		if !errors.Is(err, c.err) || got != "" {
			t.Errorf("%s: %q, %v, want %v", name, got, err, c.err)
		}
	}
	if err := (keyblock.Header{Version: 'A', Usage: "B0", Algorithm: 'A', Mode: 'X', KeyVersion: "00", Exportability: 'N'}).Check(16); !errors.Is(err, keyblock.ErrPolicy) {
		t.Errorf("an AES key in a version A block: %v", err)
	}
}

// TestKnownTraps are inputs on which other implementations fail.
func TestKnownTraps(t *testing.T) {
	for _, block := range []string{"", "D", "D0144", "D0016P0AE00E0000", "D0032P0AE00E01000000000000000000", "D0032P0AE00E9900" + strings.Repeat("0", 16)} {
		if _, _, err := keyblock.Unwrap(make([]byte, 16), block); !errors.Is(err, keyblock.ErrFormat) {
			t.Errorf("%q: %v", block, err)
		}
	}
	if _, err := keyblock.Parse("X0016P0AE00E0000"); !errors.Is(err, keyblock.ErrVersion) {
		t.Errorf("version X: %v", err)
	}
	for _, v := range vectortest.Load(t, "keyblock") {
		if v.Reject {
			continue
		}
		if _, _, err := keyblock.Unwrap(v.Hex("kbpk"), v.Text("block")[:16]+strings.ToLower(v.Text("block")[16:])); err == nil {
			t.Errorf("%s in lower case was accepted", v.Name)
		}
		for _, n := range []int{0, 1, 8, 15, 17, 33, 64} {
			if _, _, err := keyblock.Unwrap(make([]byte, n), v.Text("block")); !errors.Is(err, keyblock.ErrKBPK) {
				t.Errorf("%s with a KBPK of %d bytes: %v", v.Name, n, err)
			}
		}
	}
}

// FuzzUnwrap checks that no text makes Unwrap panic, and that a header that is
// read has what Parse promises.
func FuzzUnwrap(f *testing.F) {
	vectortest.SeedText(f, "keyblock", 50)
	f.Add("D0144")
	f.Add("D0064P0AE00E0100CT00040010ABCDEF0000000000000000000000000000000000")
	f.Fuzz(func(t *testing.T, block string) {
		h, err := keyblock.Parse(block)
		for _, n := range []int{16, 32} {
			if _, key, uerr := keyblock.Unwrap(make([]byte, n), block); uerr == nil && err != nil || (key == nil) != (uerr != nil) {
				t.Fatalf("%q: Parse %v, Unwrap %v", block, err, uerr)
			}
		}
		if err == nil && (len(h.Usage) != 2 || len(h.KeyVersion) != 2 || len(h.Optional) > 99) {
			t.Fatalf("%+v", h)
		}
	})
}

func BenchmarkUnwrapD(b *testing.B) {
	kbpk := make([]byte, 32)
	block, err := keyblock.Wrap(kbpk, header("B0", 'A', 'X'), make([]byte, 16), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := keyblock.Unwrap(kbpk, block); err != nil {
			b.Fatal(err)
		}
	}
}
