package score

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestWindowsAgainstAList holds the packed sums against a plain list of all
// attempts: never less than the span holds, never more than one grain beyond.
func TestWindowsAgainstAList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type one struct{ at, minor int64 }
		var all []one
		var h history
		at := rapid.Int64Range(0, 1<<50).Draw(rt, "start")
		for range rapid.IntRange(1, 60).Draw(rt, "n") {
			at += rapid.OneOf(rapid.Int64Range(0, minute), rapid.Int64Range(0, 3*hour)).Draw(rt, "gap")
			minor := rapid.Int64Range(0, 1e9).Draw(rt, "minor")
			all = append(all, one{at, minor})
			h.add(at, minor)
			back, err := decode(h.encode())
			if err != nil {
				rt.Fatal(err)
			}
			h = back
			got := h.sums(at)
			for i, s := range []Sum{got.Minute, got.Hour, got.Day} {
				var low, high Sum
				for _, o := range all {
					if o.at > at-rings[i].span {
						low = low.plus(Sum{1, o.minor})
					}
					if o.at > at-rings[i].span-rings[i].grain {
						high = high.plus(Sum{1, o.minor})
					}
				}
				if s.Count < low.Count || s.Count > high.Count || s.Minor < low.Minor || s.Minor > high.Minor {
					rt.Fatalf("ring %d: %+v, want %+v to %+v", i, s, low, high)
				}
			}
		}
	})
}

// TestClockStepsBack: nothing is forgotten when the clock is set back.
func TestClockStepsBack(t *testing.T) {
	var h history
	h.add(10*day, 5)
	h.add(10*day-2*hour, 7)
	if s := h.sums(10 * day); s.Hour != (Sum{2, 12}) {
		t.Errorf("hour holds %+v", s.Hour)
	}
}

func FuzzDecodeHistory(f *testing.F) {
	var h history
	h.add(5*day, 100)
	f.Add(h.encode())
	f.Add([]byte{1, 255, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := decode(in)
		if err != nil {
			return
		}
		h.add(9*day, 1)
		if _, err := decode(h.encode()); err != nil {
			t.Fatalf("what was decoded does not encode: %v", err)
		}
	})
}

func rules(t *testing.T, f File) *Rules {
	t.Helper()
	f.Version = "t1"
	r, err := Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDecide(t *testing.T) {
	r := rules(t, File{Thresholds: Thresholds{Refer: 500, Decline: 900}, Rules: []Rule{
		{Name: "big", When: "amount > 1000", Weight: 500, Reason: "A1"},
		{Name: "burst", When: "card.minute.count >= 3", Weight: 450, Reason: "V1"},
		{Name: "ask", When: `entry in ["magstripe", "keyed"]`, Action: AskPIN, Reason: "P1"},
		{Name: "broken", When: "100 % currency == 1", Weight: 900, Reason: "X1"},
		{Name: "stolen-bin", When: `bin startsWith "99"`, Action: Decline, Reason: "B1"},
	}})
	for _, c := range []struct {
		name    string
		f       Features
		action  Action
		score   int
		outside string
		reasons string
	}{
		{"nothing", Features{Currency: 840, Amount: 1000}, Approve, 0, "00", ""},
		{"threshold refers", Features{Currency: 840, Amount: 1001}, Refer, 500, "01", "A1"},
		{"two add up", Features{Currency: 840, Amount: 1001, Card: Span{Minute: Sum{Count: 3}}}, Decline, 950, "05", "A1 V1"},
		{"asks for a PIN", Features{Currency: 840, Entry: "magstripe"}, AskPIN, 0, "1A", "P1"},
		{"PIN came", Features{Currency: 840, Entry: "magstripe", PIN: true}, Approve, 0, "00", "P1"},
		{"keyed takes none", Features{Currency: 840, Entry: "keyed"}, Refer, 0, "01", "P1"},
		{"hard rule", Features{Currency: 840, BIN: "99001234"}, Decline, 0, "05", "B1"},
		{"failing rule counts nothing", Features{Amount: 1}, Approve, 0, "00", "X1!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := r.Decide(c.f)
			var codes []string
			for _, x := range d.Reasons {
				code := x.Code
				if x.Failed {
					code += "!"
				}
				codes = append(codes, code)
			}
			outside, filed := d.Code()
			if d.Action != c.action || d.Score != c.score || outside != c.outside || strings.Join(codes, " ") != c.reasons {
				t.Errorf("got %s %d %s %v", d.Action, d.Score, outside, codes)
			}
			if (filed == "59") != (d.Action == Decline) {
				t.Errorf("filed as %s", filed)
			}
			if d.Version != "t1" || d.Features != c.f {
				t.Error("the decision does not keep its version and features")
			}
		})
	}
}

// TestBadRules: each fault is refused and named.
func TestBadRules(t *testing.T) {
	good := Rule{Name: "a", When: "amount > 1", Weight: 1, Reason: "A1"}
	change := func(f func(*Rule)) File {
		r := good
		f(&r)
		return File{Version: "1", Rules: []Rule{r}}
	}
	for want, f := range map[string]File{
		"version is missing":       {Rules: []Rule{good}},
		"used twice":               {Version: "1", Rules: []Rule{good, good}},
		"thresholds.refer":         {Version: "1", Thresholds: Thresholds{Refer: 1000}},
		"letters, digits, '-'":     change(func(r *Rule) { r.Name = "a b" }),
		"capital letters":          change(func(r *Rule) { r.Reason = "low" }),
		"weight is 1000":           change(func(r *Rule) { r.Weight = 1000 }),
		"want pin, refer, decline": change(func(r *Rule) { r.Action = "Approve" }),
		"does nothing":             change(func(r *Rule) { r.Weight = 0 }),
		"unknown name amuont":      change(func(r *Rule) { r.When = "amuont > 1" }),
		"expected bool":            change(func(r *Rule) { r.When = "amount + 1" }),
		"want at most 1000":        change(func(r *Rule) { r.When = strings.Repeat(" ", 1001) }),
		"mismatched types":         change(func(r *Rule) { r.When = `amount > "x"` }),
		"function over el":         change(func(r *Rule) { r.When = `any([1, 2], # > 1)` }),
		"uses a range":             change(func(r *Rule) { r.When = `amount in 1..9` }),
		"unknown name now":         change(func(r *Rule) { r.When = `now() == now()` }),
		"exceeds maximum":          change(func(r *Rule) { r.When = "true" + strings.Repeat(" and true", 110) }),
	} {
		if _, err := Compile(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestSampleRules: the file that `host init` writes holds, and says what it does.
func TestSampleRules(t *testing.T) {
	r, err := ParseRules(Sample)
	if err != nil {
		t.Fatal(err)
	}
	calm := Features{Amount: 1234, Currency: 840, Entry: "chip", PIN: true, Cryptogram: true, Hour: 12,
		Card: Span{Minute: Sum{1, 1234}}, Terminal: Span{Minute: Sum{1, 1234}}}
	if d := r.Decide(calm); d.Action != Approve || d.Score != 0 {
		t.Errorf("a calm payment got %s %d", d.Action, d.Score)
	}
	calm.Card.Minute.Count = 13
	if d := r.Decide(calm); d.Action != Decline {
		t.Errorf("a burst got %s", d.Action)
	}
	if _, err := ParseRules(append(bytes.Clone(Sample), []byte("\nrulez: []\n")...)); err == nil {
		t.Error("an unknown key was accepted")
	}
}

func TestEntryOf(t *testing.T) {
	for de22, want := range map[string]Entry{"051": Chip, "071": Contactless, "021": Magstripe, "901": Magstripe,
		"801": Fallback, "011": Keyed, "791": Keyed, "000": Unknown, "": Unknown} {
		if got := EntryOf(de22); got != want {
			t.Errorf("%q is %s, want %s", de22, got, want)
		}
	}
}

// TestDecisionIsReadable: the stored form keeps what explains the decision.
func TestDecisionIsReadable(t *testing.T) {
	r := rules(t, File{Rules: []Rule{{Name: "any", When: "amount > 0", Weight: 10, Reason: "A1"}}})
	b, err := json.Marshal(r.Decide(Features{Amount: 5, Entry: "chip"}))
	if err != nil {
		t.Fatal(err)
	}
	var back Decision
	if err := json.Unmarshal(b, &back); err != nil || back.Score != 10 || back.Features.Amount != 5 {
		t.Errorf("read back %+v, %v", back, err)
	}
}

func BenchmarkDecideSample(b *testing.B) {
	r, err := ParseRules(Sample)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r.Decide(Features{Amount: 1234, Entry: "chip"})
	}
}
