package app_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// BenchmarkPayment is one stripe-and-PIN payment over TLS with boundary, issuer and
// both books on SQLite, 16 terminals at once.
func BenchmarkPayment(b *testing.B) {
	l := newLab(b)
	l.write(filepath.Join(l.dir, "h", "rules.yaml"), "version: none\nrules: []\n")
	l.set("log_level: info", "log_level: error")
	l.serve()
	const terminals = 16
	links := make(chan *link, terminals)
	for i := range terminals {
		// Each with a card of its own: more payments of one card at once than it has
		// PIN tries left are refused.
		k := l.addTerminal(fmt.Sprintf("TERM%04d", i), "aes").dial()
		k.pan = luhn(fmt.Sprintf("49290000000%04d", i))
		l.addCard(k.pan, 1_000_000_000)
		links <- k
	}
	var failed atomic.Int64
	b.SetParallelism(terminals)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k := <-links
			keys := k.advance()
			req := k.purchase(sale{minor: 1, pin: testPIN, entry: "901"}, keys)
			ans, err := k.exchange(seal(b, req, keys))
			if err != nil || ans.ResponseCode() != "00" {
				failed.Add(1)
			}
			links <- k
		}
	})
	if n := failed.Load(); n > 0 {
		b.Errorf("%d payments were not approved", n)
	}
}

// luhn appends the check digit (ISO/IEC 7812-1, Annex B).
func luhn(digits string) string {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + string(rune('0'+(10-sum%10)%10))
}
