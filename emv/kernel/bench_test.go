package kernel_test

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"tallystick.example/emv/kernel"
	"tallystick.example/emv/oda"
)

// A recordedCard answers as a signingCard did once with the same transaction, so
// that the time of the card is not in the measurement.
type recordedCard struct {
	t       testing.TB
	answers []exchanged
	next    int
}

type exchanged struct{ command, answer []byte }

func (c *recordedCard) Transmit(_ context.Context, capdu []byte) ([]byte, error) {
	x := c.answers[c.next]
	if !bytes.Equal(x.command, capdu) {
		c.t.Fatalf("command %d is another one", c.next)
	}
	c.next++
	return x.answer, nil
}

// record runs one full online transaction with CDA and keeps what passed.
func record(t testing.TB) *recordedCard {
	t.Helper()
	card, out := newSigningCard(t, aipCDA), &recordedCard{t: t}
	tap := cardFunc(func(ctx context.Context, capdu []byte) ([]byte, error) {
		command := bytes.Clone(capdu)
		answer, err := card.Transmit(ctx, capdu)
		out.answers = append(out.answers, exchanged{command, answer})
		return answer, err
	})
	payment(t, tap, loaded(t))
	return out
}

// payment is one full online transaction that ends approved, signed twice.
func payment(t testing.TB, card kernel.Card, cfg *kernel.Config) {
	s, err := kernel.Select(context.Background(), card, cfg, typing("1234"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.First(context.Background(), testTransaction()); err != nil {
		t.Fatal(err)
	}
	if o := s.Second(context.Background(), kernel.Answer{Approved: true, ARC: "00"}); o.Result != kernel.Approved || o.TVR[0] != 0 {
		t.Fatalf("%+v", o)
	}
}

// BenchmarkOnlineCDA is the kernel's part of a full online transaction with CDA
// and offline PIN: selection, records, authentication, both GENERATE AC.
func BenchmarkOnlineCDA(b *testing.B) {
	card := record(b)
	for _, cold := range []bool{true, false} {
		name := "issuer remembered"
		if cold {
			name = "cold"
		}
		b.Run(name, func(b *testing.B) {
			cfg := loaded(b)
			if !cold {
				card.next = 0
				payment(b, card, cfg)
			}
			before, opened := cfg.CAKeys.Opened(), 0
			var took []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				if cold {
					opened += cfg.CAKeys.Opened() - before
					cfg.CAKeys, before = fresh(b), 0
				}
				card.next = 0
				start := time.Now()
				payment(b, card, cfg)
				took = append(took, time.Since(start))
			}
			opened += cfg.CAKeys.Opened() - before
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-µs")
			b.ReportMetric(3+float64(opened)/float64(b.N), "RSA/op")
		})
	}
}

func fresh(t testing.TB) *oda.Keys {
	t.Helper()
	keys, err := oda.NewKeys([]oda.CAKey{testScheme().caKey()}, nil)
	must(t, err)
	return keys
}

// Ten thousand transactions leave nothing behind.
func TestNothingGrows(t *testing.T) {
	card, cfg := record(t), loaded(t)
	run := func(n int) uint64 {
		for range n {
			card.next = 0
			payment(t, card, cfg)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := run(1000)
	after := run(10_000)
	t.Logf("heap in use: %d KiB after 1000, %d KiB after 11000 transactions", before>>10, after>>10)
	if after > before+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}
