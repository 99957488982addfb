//go:build !(386 || arm || mips || mipsle)

package codec_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/examples"
	"github.com/moov-io/iso8583/exp/emv"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/specs"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// published are the specifications that moov publishes, and our own.
func published() map[string]*moov.MessageSpec {
	track2 := &moov.MessageSpec{Name: "87 ASCII with moov's Track2", Fields: map[int]field.Field{}}
	for de, f := range specs.Spec87ASCII.Fields {
		track2.Fields[de] = f
	}
	track2.Fields[35] = specs.Spec87Track2.Fields[35]
	return map[string]*moov.MessageSpec{
		"terminal": iso8583.Spec(), "Spec87ASCII": specs.Spec87ASCII, "Spec87Hex": specs.Spec87Hex, "Spec87": moov.Spec87,
		"Spec87Track2": track2, "examples": examples.Spec, "emv": emv.MessageSpec,
	}
}

// exercise runs one dialect: drawn values packed by both codecs, and what was
// packed, changed in places, unpacked by both.
func (p *pair) exercise(d *dice) error {
	ours, theirs := p.drawPair(d)
	out, err := ours.AppendTo(nil)
	var want []byte
	moovErr := guarded(func() (err error) { want, err = theirs.Pack(); return err })
	if p.untaken {
		if err == nil {
			return fmt.Errorf("packing: only we take a value: %X", out)
		}
	} else if err := p.samePack(theirs.GetFields(), out, err, want, moovErr); err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	raw := out
	if err != nil {
		if raw = want; moovErr != nil {
			raw = []byte("0200\x70\x00\x00\x00\x00\x00\x00\x00")
		}
	} else if err := p.m.Unpack(out); err != nil {
		return fmt.Errorf("we packed %X: %w", out, err)
	}
	if double := p.repeated(d, raw); double != nil {
		if err := p.agree(double); err != nil {
			return fmt.Errorf("unpacking repeated tags %X: %w", double, err)
		}
	}
	if long := p.overlong(d); long != nil {
		if err := p.agree(long); err != nil {
			return fmt.Errorf("unpacking a value that is too long %X: %w", long, err)
		}
	}
	for range 10 {
		bad := mutate(d, raw)
		if err := p.agree(bad); err != nil {
			return fmt.Errorf("unpacking %X: %w", bad, err)
		}
	}
	return nil
}

// seed is that of the random tests: 1, so that a build passes or fails by what is
// in it, or another one from the environment, as soak tests and the planted faults
// give them. A failure names it.
func seed(t *testing.T) uint64 {
	text := os.Getenv("TALLYSTICK_CODEC_SEED")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// drawnPair compiles a drawn dialect; nil when it is refused.
func drawnPair(d *dice) (*pair, error) {
	spec := drawSpec(d)
	p, err := newPair(spec)
	if le, ok := errors.AsType[*codec.LayoutError](err); ok && le.Reason != "" {
		return nil, nil
	}
	return p, err
}

// TestAgreesOnDrawnDialects: random dialects, random values, random damage.
func TestAgreesOnDrawnDialects(t *testing.T) {
	seed := seed(t)
	compiled, refused := 0, 0
	used := map[string]int{}
	for i := range rounds(t, 3000) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		b := make([]byte, 1600)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		d := &dice{b}
		p, err := drawnPair(d)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			refused++
			continue
		}
		compiled++
		for range 4 {
			if err := p.exercise(d); err != nil {
				t.Fatalf("seed %d, round %d: %v\n%s", seed, i, err, show(p.spec))
			}
		}
		for id, n := range p.used {
			used[id] += n
		}
	}
	if compiled < refused {
		t.Errorf("%d dialects were refused, %d compiled", refused, compiled)
	}
	t.Logf("%d dialects, %d refused; differences by rule: %v", compiled, refused, used)
}

func TestAgreesOnPublishedSpecs(t *testing.T) {
	seed := seed(t)
	for name, spec := range published() {
		t.Run(name, func(t *testing.T) {
			p, err := newPair(spec)
			if err != nil {
				t.Fatal(err)
			}
			for i := range rounds(t, 150) {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				b := make([]byte, 1500)
				for j := range b {
					b[j] = byte(r.Uint32())
				}
				if err := p.exercise(&dice{b}); err != nil {
					t.Fatalf("seed %d, round %d: %v", seed, i, err)
				}
			}
		})
	}
}

// rounds is how often a random test runs.
func rounds(_ *testing.T, n int) int { return n }

// show prints a drawn dialect.
func show(s *moov.MessageSpec) string {
	out := ""
	for de, f := range s.Fields {
		out += showField(fmt.Sprint(de), f)
	}
	return out
}

func showField(path string, f field.Field) string {
	s := f.Spec()
	out := fmt.Sprintf("%s: %T %d %T %s pad %v %v\n", path, f, s.Length, s.Enc, s.Pref.Inspect(), s.Pad, s.Packer)
	if s.Tag != nil {
		out += fmt.Sprintf("   tag %+v\n", *s.Tag)
	}
	if s.Bitmap != nil {
		out += fmt.Sprintf("   bitmap %+v\n", *s.Bitmap.Spec())
	}
	for key, sub := range s.Subfields {
		out += showField(path+"."+key, sub)
	}
	return out
}

func FuzzDialects(f *testing.F) {
	for i := range uint64(8) {
		r := rand.New(rand.NewPCG(1, i))
		b := make([]byte, 200)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		f.Add(b[:80], b[80:])
	}
	f.Fuzz(func(t *testing.T, spec, message []byte) {
		p, err := drawnPair(&dice{spec})
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			return
		}
		if err := p.exercise(&dice{message}); err != nil {
			t.Fatalf("%v\n%s", err, show(p.spec))
		}
		if err := p.agree(message); err != nil {
			t.Fatalf("%X: %v\n%s", message, err, show(p.spec))
		}
	})
}

// FuzzPublished takes moov's published specifications and the terminal's, and a
// message of free bytes or of drawn values.
func FuzzPublished(f *testing.F) {
	var pairs []*pair
	for _, name := range slices.Sorted(maps.Keys(published())) {
		p, err := newPair(published()[name])
		if err != nil {
			f.Fatal(err)
		}
		pairs = append(pairs, p)
		for i := range uint64(3) {
			r := rand.New(rand.NewPCG(2, i))
			b := make([]byte, 300)
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			f.Add(uint8(len(pairs)-1), b)
			ours, _ := p.drawPair(&dice{b})
			if raw, err := ours.AppendTo(nil); err == nil {
				f.Add(uint8(len(pairs)-1), raw)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, message []byte) {
		p := pairs[int(which)%len(pairs)]
		if err := p.agree(message); err != nil {
			t.Fatalf("%s: %X: %v", p.spec.Name, message, err)
		}
		if err := p.exercise(&dice{message}); err != nil {
			t.Fatalf("%s: %v", p.spec.Name, err)
		}
	})
}
