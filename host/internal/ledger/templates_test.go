package ledger

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestEveryTemplateSumsToZero holds every template, for every amount that can be
// posted, both ways round.
func TestEveryTemplateSumsToZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Posting{
			Template: rapid.SampledFrom(slices.Sorted(maps.Keys(Templates))).Draw(t, "template"),
			Amount:   rapid.Int64Range(1, MaxAmount).Draw(t, "amount"),
			Merchant: "M", Issuer: "I",
		}
		es, err := entries(p, rapid.SampledFrom([]int64{1, -1}).Draw(t, "sign"))
		if err != nil {
			t.Fatal(err)
		}
		var sum, turnover int64
		for _, e := range es {
			sum += e.minor
			turnover += max(e.minor, -e.minor)
		}
		if sum != 0 || turnover < 2*p.Amount || len(es) < 2 {
			t.Fatalf("%s of %d gives %v", p.Template, p.Amount, es)
		}
	})
}

// TestAmountsOutOfRangeAreRefused includes every amount whose multiple could
// overflow.
func TestAmountsOutOfRangeAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.OneOf(rapid.Int64Range(math.MinInt64, 0), rapid.Int64Range(MaxAmount+1, math.MaxInt64)).Draw(t, "amount")
		_, err := entries(Posting{Template: Sale, Amount: amount, Merchant: "M", Issuer: "I"}, 1)
		if !errors.Is(err, ErrAmount) {
			t.Fatalf("%d: %v", amount, err)
		}
	})
}

// TestTemplatesUseTheChart keeps data and data together: no account outside the
// chart, none unused, no factor that could carry MaxAmount out of range.
func TestTemplatesUseTheChart(t *testing.T) {
	used := map[string]bool{}
	for name, lines := range Templates {
		for _, l := range lines {
			used[l.Account] = true
			if l.Factor == 0 || max(l.Factor, -l.Factor) > 10 {
				t.Errorf("template %s: factor %d", name, l.Factor)
			}
		}
	}
	for _, a := range Chart {
		if !used[a.Path] || a.Meaning == "" || a.Kind == "" {
			t.Errorf("account %s is unused or unexplained", a.Path)
		}
		delete(used, a.Path)
	}
	if len(used) != 0 {
		t.Errorf("accounts outside the chart: %v", used)
	}
}
