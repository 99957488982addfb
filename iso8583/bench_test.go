//go:build unix && !(386 || arm || mips || mipsle)

package iso8583_test

import (
	"bytes"
	"strconv"
	"syscall"
	"testing"
	"time"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// benchTags are the 15 data objects of DE 55 in the benchmark's message.
var benchTags = []string{"82", "9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "9F36", "9F27", "9F26", "9F10", "9F33", "9F34"}

// benchMessage is a 0200 of 20 elements.
func benchMessage(tb testing.TB) []byte {
	m := iso8583.New(iso8583.FinancialRequest)
	for de, digits := range map[int]string{3: "000000", 4: "000000001234", 7: "1124130509", 11: "001234", 12: "140509", 13: "1124", 22: "051", 23: "001", 24: "003",
		25: "00", 26: "12", 32: "12345678901", 49: "978"} {
		m.SetDigits(de, digits)
	}
	m.SetText(37, "000000000042")
	m.SetText(41, "TERM0001")
	m.SetText(42, "MERCHANT0000001")
	m.SetBytes(52, unhex("0123456789ABCDEF"))
	m.SetBytes(55, sampleChip[:bytes.LastIndex(sampleChip, unhex("8407"))])
	m.SetBytes(63, append(append(unhex("010010"), make([]byte, 16)...), append(unhex("03000C"), unhex(sampleKSN)...)...))
	m.SetBytes(64, unhex("1122334455667788"))
	raw, err := iso8583.Pack(m)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// benchSpec is a specification with DE 55 as a composite of BER-TLV.
func benchSpec(s *moov.MessageSpec) *moov.MessageSpec {
	f := &field.Spec{Length: 255, Pref: s.Fields[55].Spec().Pref, Subfields: map[string]field.Field{},
		Tag: &field.TagSpec{Enc: encoding.BerTLVTag, Sort: sort.StringsByHex, SkipUnknownTLVTags: true, StoreUnknownTLVTags: true}}
	for _, tag := range benchTags {
		f.Subfields[tag] = field.NewBinary(&field.Spec{Enc: encoding.Binary, Pref: prefix.BerTLV})
	}
	s.Fields[55] = field.NewComposite(f)
	return s
}

// loop runs f for a benchmark and reports the processor time beside the clock's,
// since a shared machine lends its cores to others.
func loop(b *testing.B, f func() error) {
	b.ReportAllocs()
	if err := f(); err != nil { // memory grows once
		b.Fatal(err)
	}
	before := cpuTime(b)
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// echoed are the elements that the answer of the host's job takes over.
var echoed = [...]int{3, 4, 7, 11, 12, 13, 24, 41, 42, 49}

// BenchmarkCodec measures unpacking, packing and the job of a host: unpack a
// request, read eight values, build the answer and pack it. ours is what the host
// runs; compiled is codec.Compile of the very specification that moov runs, with
// DE 55 as a composite; moov-bcd is moov with a plain BCD encoder.
func BenchmarkCodec(b *testing.B) {
	raw := benchMessage(b)
	b.Logf("0200 of %d bytes", len(raw))
	benchmarkOurs(b, raw)
	p, err := codec.Compile(benchSpec(iso8583.Spec()))
	if err != nil {
		b.Fatal(err)
	}
	benchmarkCompiled(b, p, raw)
	benchmarkMoov(b, "moov", benchSpec(iso8583.Spec()), raw)
	benchmarkMoov(b, "moov-bcd", benchSpec(plainSpec()), raw)
}

func benchmarkOurs(b *testing.B, raw []byte) {
	m, answer := new(iso8583.Message), new(iso8583.Message)
	out := make([]byte, 0, 1024)
	b.Run("ours/unpack", func(b *testing.B) { loop(b, func() error { return m.Unpack(raw) }) })
	built := iso8583.New(iso8583.FinancialRequest)
	if err := m.Unpack(raw); err != nil {
		b.Fatal(err)
	}
	for de := 2; de <= 128; de++ {
		built.CopyFrom(m, de)
	}
	b.Run("ours/pack", func(b *testing.B) {
		loop(b, func() error {
			_, err := built.AppendTo(out)
			return err
		})
	})
	b.Run("ours/hostjob", func(b *testing.B) {
		loop(b, func() error {
			if err := m.Unpack(raw); err != nil {
				return err
			}
			code, _ := m.Value(3).Number()
			amount, _ := m.Value(4).Number()
			stan, _ := m.Value(11).Number()
			currency, _ := m.Value(49).Number()
			chip := m.Value(55).Object(0x9F26).Wire()
			if m.MTI() != iso8583.FinancialRequest || code != 0 || amount != 1234 || stan != 1234 || currency != 978 ||
				len(m.Value(41).Wire()) != 8 || len(m.Value(42).Wire()) != 15 || len(chip) != 8 {
				return strconv.ErrSyntax
			}
			answer.Reset(iso8583.FinancialAnswer)
			for _, de := range echoed {
				answer.CopyFrom(m, de)
			}
			answer.SetText(37, "000000000099")
			answer.SetText(38, "A1B2C3")
			answer.SetText(39, "00")
			_, err := answer.AppendTo(out)
			return err
		})
	})
}

func benchmarkCompiled(b *testing.B, p *codec.Program, raw []byte) {
	m, answer := codec.NewMessage(p), codec.NewMessage(p)
	out := make([]byte, 0, 1024)
	b.Run("compiled/unpack", func(b *testing.B) { loop(b, func() error { return m.Unpack(raw) }) })
	built := codec.NewMessage(p)
	if err := m.Unpack(raw); err != nil {
		b.Fatal(err)
	}
	for de := range 129 {
		built.CopyFrom(m, de)
	}
	b.Run("compiled/pack", func(b *testing.B) {
		loop(b, func() error {
			_, err := built.AppendTo(out)
			return err
		})
	})
	b.Run("compiled/hostjob", func(b *testing.B) {
		loop(b, func() error {
			if err := m.Unpack(raw); err != nil {
				return err
			}
			sum := 0
			for _, de := range [...]int{0, 3, 4, 11, 41, 42, 49} {
				sum += m.Value(de).Len()
			}
			if sum+m.Value(55).Sub("9F26").Len() != 62 {
				return strconv.ErrSyntax
			}
			answer.Reset(p)
			answer.SetText(0, "0210")
			for _, de := range echoed {
				answer.CopyFrom(m, de)
			}
			answer.SetText(37, "000000000099")
			answer.SetText(38, "A1B2C3")
			answer.SetText(39, "00")
			_, err := answer.AppendTo(out)
			return err
		})
	})
}

// benchmarkMoov uses moov well: specification and message are made once.
func benchmarkMoov(b *testing.B, name string, spec *moov.MessageSpec, raw []byte) {
	m := moov.NewMessage(spec)
	b.Run(name+"/unpack", func(b *testing.B) { loop(b, func() error { return m.Unpack(raw) }) })
	if err := m.Unpack(raw); err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/pack", func(b *testing.B) {
		loop(b, func() error {
			_, err := m.Pack()
			return err
		})
	})
	b.Run(name+"/hostjob", func(b *testing.B) {
		loop(b, func() error {
			if err := m.Unpack(raw); err != nil {
				return err
			}
			for _, de := range [...]int{0, 3, 4, 11, 41, 42, 49} {
				if v, err := m.GetString(de); err != nil || v == "" {
					return strconv.ErrSyntax
				}
			}
			chip, ok := m.GetField(55).(*field.Composite)
			if !ok || chip.GetSubfields()["9F26"] == nil {
				return strconv.ErrSyntax
			}
			answer := moov.NewMessage(spec)
			answer.MTI("0210")
			for _, de := range echoed {
				v, err := m.GetString(de)
				if err != nil {
					return err
				}
				if err := answer.Field(de, v); err != nil {
					return err
				}
			}
			for de, v := range map[int]string{37: "000000000099", 38: "A1B2C3", 39: "00"} {
				if err := answer.Field(de, v); err != nil {
					return err
				}
			}
			_, err := answer.Pack()
			return err
		})
	})
}

// TestBenchmarkedCodecs holds the measured paths to no allocation, and the
// codecs to the same bytes.
func TestBenchmarkedCodecs(t *testing.T) {
	raw := benchMessage(t)
	m := unpacked(t, raw)
	if !m.Value(55).Objects() {
		t.Fatal("DE 55 has no objects")
	}
	count := 0
	for v := range m.Value(55).Subfields() {
		if len(v.Wire()) > 0 {
			count++
		}
	}
	if count != len(benchTags) {
		t.Errorf("DE 55 has %d objects", count)
	}
	answer, out := new(iso8583.Message), make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		if err := m.Unpack(raw); err != nil {
			t.Fatal(err)
		}
		if v, _ := m.Value(4).Number(); v != 1234 || m.Value(55).Object(0x9F36).Len() != 2 {
			t.Fatal("wrong values")
		}
		answer.Reset(iso8583.FinancialAnswer)
		for _, de := range echoed {
			answer.CopyFrom(m, de)
		}
		answer.SetText(39, "00")
		answer.SetNumber(24, 3)
		if _, err := answer.AppendTo(out); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("the host's job allocates %v times", n)
	}
	p, err := codec.Compile(benchSpec(iso8583.Spec()))
	if err != nil {
		t.Fatal(err)
	}
	c, theirs := codec.NewMessage(p), moov.NewMessage(benchSpec(iso8583.Spec()))
	if err := c.Unpack(raw); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Unpack(raw); err != nil {
		t.Fatal(err)
	}
	for _, tag := range benchTags {
		want, err := theirs.GetField(55).(*field.Composite).GetSubfields()[tag].Bytes()
		if err != nil || !bytes.Equal(c.Value(55).Sub(tag).Wire(), want) || !bytes.Equal(m.Value(55).Object(uint32(number(t, tag))).Wire(), want) {
			t.Errorf("tag %s differs", tag)
		}
	}
}

func number(t *testing.T, hex string) uint64 {
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
