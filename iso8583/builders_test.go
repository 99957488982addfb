package iso8583_test

import (
	"errors"
	"testing"
	"time"

	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// TestReversalComesFromTheRequest checks each element of a 0420 against the
// stored 0200.
func TestReversalComesFromTheRequest(t *testing.T) {
	p := paymentOf(iso8583.Purchase)
	p.Private.PINKSN, p.Private.PINBlock, p.PINBlock = unhex("FFFF9876543210E00001"), secret.Secret{}, secret.New(unhex("0123456789ABCDEF"))
	sale, err := iso8583.NewPayment(p)
	must(t, sale, err)
	at := sampleTime.Add(time.Hour)
	r, err := iso8583.NewReversal(sale, iso8583.Reversal{STAN: 1300, At: at, Private: iso8583.Private{AttemptID: attempt(8), Reason: iso8583.ReasonNoAnswer}})
	must(t, r, err)
	for de, want := range map[int]string{3: "000000", 4: "000000001234", 7: "1124140509", 11: "001300", 12: "140509", 13: "1124", 22: "051", 25: "00", 49: "978",
		90: "0200" + "001234" + "1124130509" + "0000000000000000000000"} {
		if got := r.Digits(de); got != want {
			t.Errorf("DE %d is %s, want %s", de, got, want)
		}
	}
	if r.Terminal() != "TERM0001" || r.Merchant() != "MERCHANT0000001" {
		t.Errorf("terminal %q, merchant %q", r.Terminal(), r.Merchant())
	}
	for _, de := range []int{23, 37, 39, 52, 55, 64, 95, 128} {
		if r.Has(de) {
			t.Errorf("DE %d is there", de)
		}
	}
	rp, err := r.Private()
	if err != nil || rp.OriginalAttemptID != attempt(7) || rp.AttemptID != attempt(8) || rp.CardData.IV != nil || rp.PINKSN != nil || rp.Reason != iso8583.ReasonNoAnswer {
		t.Errorf("DE 63 is %+v, %v", rp, err)
	}
	o, ok := r.Original()
	if !ok || o != iso8583.OriginalOf(sale) {
		t.Errorf("the original is %+v", o)
	}
	again, ok := r.AsRepeat()
	if !ok || again.MTI() != iso8583.ReversalAdviceRepeat || again.STAN() != r.STAN() || again.Digits(7) != r.Digits(7) || again.Digits(90) != r.Digits(90) {
		t.Errorf("the repeat is %v", again)
	}
	if r.MTI() != iso8583.ReversalAdvice {
		t.Error("the first was changed")
	}
	if _, ok := must(t, sale, nil).AsRepeat(); !ok {
		t.Error("0200 has a repeat, 0201")
	}
	if _, err := iso8583.NewReversal(sale, iso8583.Reversal{STAN: 1, At: at}); iso8583.RefusalCode(err) != "30" || err == nil {
		t.Errorf("a reversal without reason: %v", err)
	}
}

func TestBuildersRefuse(t *testing.T) {
	for name, change := range map[string]func(*iso8583.Payment){
		"STAN zero": func(p *iso8583.Payment) { p.STAN = 0 }, "STAN of 7 digits": func(p *iso8583.Payment) { p.STAN = 1000000 },
		"long terminal": func(p *iso8583.Payment) { p.Terminal = "TERM00001" }, "no terminal": func(p *iso8583.Payment) { p.Terminal = "" },
		"control character": func(p *iso8583.Payment) { p.Merchant = "A\nB" }, "negative amount": func(p *iso8583.Payment) { p.Amount.Minor = -1 },
		"amount of 13 digits": func(p *iso8583.Payment) { p.Amount.Minor = 1_000_000_000_000 }, "amount zero": func(p *iso8583.Payment) { p.Amount.Minor = 0 },
		"currency of 4 digits": func(p *iso8583.Payment) { p.Amount.Currency = 1978 }, "entry mode": func(p *iso8583.Payment) { p.Entry = "5" },
		"letters": func(p *iso8583.Payment) { p.Accounts = "00A0" }, "PIN block of 16": func(p *iso8583.Payment) { p.PINBlock = secret.New(make([]byte, 16)) },
		"no such type": func(p *iso8583.Payment) { p.Type = 0 }, "type beyond the table": func(p *iso8583.Payment) { p.Type = 200 },
		"long chip data": func(p *iso8583.Payment) { p.Chip = make([]byte, 256) }, "bad KSN": func(p *iso8583.Payment) { p.Private.DataKSN = make([]byte, 11) },
		"negative cashback": func(p *iso8583.Payment) { p.Cashback = -1 },
	} {
		p := paymentOf(iso8583.Purchase)
		change(&p)
		if m, err := iso8583.NewPayment(p); err == nil {
			t.Errorf("%s was built: %v", name, m)
		}
	}
}

func TestSettersKeepTheFirstError(t *testing.T) {
	m := iso8583.New(iso8583.FinancialRequest)
	m.SetText(3, "000000")
	m.SetDigits(4, "1")
	fe, ok := errors.AsType[*iso8583.FieldError](m.Err())
	if !ok || fe.DE != 3 || fe.Offset != -1 {
		t.Errorf("Err() = %v", m.Err())
	}
	for de, set := range map[int]func(*iso8583.Message){
		1: func(m *iso8583.Message) { m.SetBytes(1, make([]byte, 8)) }, 65: func(m *iso8583.Message) { m.SetBytes(65, make([]byte, 8)) },
		129: func(m *iso8583.Message) { m.SetDigits(129, "1") }, 0: func(m *iso8583.Message) { m.SetText(0, "0200") },
		-1: func(m *iso8583.Message) { m.SetNumber(-1, 0) }, 11: func(m *iso8583.Message) { m.SetNumber(11, -1) }, 12: func(m *iso8583.Message) { m.SetNumber(12, 1000000) },
		37: func(m *iso8583.Message) { m.SetText(37, "0000000000.1") }, 54: func(m *iso8583.Message) { m.SetText(54, "") }, 95: func(m *iso8583.Message) { m.SetReplacement(-1) },
		55: func(m *iso8583.Message) { m.SetBytes(55, nil) },
	} {
		m := iso8583.New(iso8583.FinancialRequest)
		set(m)
		if fe, ok := errors.AsType[*iso8583.FieldError](m.Err()); !ok || fe.DE != de {
			t.Errorf("DE %d: %v", de, m.Err())
		}
		if _, err := iso8583.Pack(m); err == nil {
			t.Errorf("DE %d was packed", de)
		}
	}
	// An element that is not there is not an error, and of another kind is empty.
	m = unpacked(t, samples(t)[0].raw)
	if m.Digits(200) != "" || m.Text(-1) != "" || m.Bytes(66) != nil || m.Text(4) != "" || m.Digits(41) != "" || m.Bytes(4) != nil || m.Number(38) != 0 {
		t.Error("an absent element has a value")
	}
	m.Clear(300)
}

func TestAnswerEchoes(t *testing.T) {
	for _, s := range samples(t) {
		req := unpacked(t, s.raw)
		ans, err := iso8583.Answer(req, "05")
		if s.dir == iso8583.ToTerminal {
			if r, ok := errors.AsType[*iso8583.RuleError](err); !ok || r.Code != "" {
				t.Errorf("%s was answered: %v", s.name, err)
			}
			continue
		}
		must(t, ans, err)
		if want, _ := req.MTI().Answer(); ans.MTI() != want || ans.ResponseCode() != "05" || ans.Has(55) || ans.Has(52) || ans.Has(64) || ans.Has(128) {
			t.Errorf("%s: answered by %v", s.name, ans)
		}
		if err := iso8583.Matches(req, ans); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		p, err := ans.Private()
		if rp, _ := req.Private(); err != nil || p.AttemptID != rp.AttemptID || string(p.MACKSN) != string(rp.MACKSN) || p.CardData.IV != nil {
			t.Errorf("%s: DE 63 of the answer: %v", s.name, err)
		}
	}
}

// TestMatches changes one echoed value at a time.
func TestMatches(t *testing.T) {
	req := unpacked(t, samples(t)[0].raw)
	for name, c := range map[string]struct {
		change  func(*iso8583.Message)
		de      int
		partial bool
	}{
		"DE 3":             {func(m *iso8583.Message) { m.SetDigits(3, "010000") }, 3, false},
		"DE 4":             {func(m *iso8583.Message) { m.SetNumber(4, 1233) }, 4, false},
		"DE 4 with 10":     {func(m *iso8583.Message) { m.SetNumber(4, 1233); m.SetText(39, "10") }, 0, true},
		"more with 10":     {func(m *iso8583.Message) { m.SetNumber(4, 1235); m.SetText(39, "10") }, 4, false},
		"nothing with 10":  {func(m *iso8583.Message) { m.SetNumber(4, 0); m.SetText(39, "10") }, 4, false},
		"no DE 4":          {func(m *iso8583.Message) { m.Clear(4) }, 4, false},
		"DE 11":            {func(m *iso8583.Message) { m.SetDigits(11, "001235") }, 11, false},
		"DE 41":            {func(m *iso8583.Message) { m.SetText(41, "TERM0002") }, 41, false},
		"DE 42":            {func(m *iso8583.Message) { m.SetText(42, "X") }, 42, false},
		"DE 49":            {func(m *iso8583.Message) { m.SetDigits(49, "840") }, 49, false},
		"DE 24 not asked":  {func(m *iso8583.Message) { m.SetDigits(24, "001") }, 24, false},
		"other attempt id": {func(m *iso8583.Message) { m.SetPrivate(iso8583.Private{AttemptID: attempt(9)}) }, 63, false},
	} {
		ans, err := iso8583.Answer(req, "00")
		must(t, ans, err)
		c.change(ans)
		err = iso8583.Matches(req, ans)
		if c.partial {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if r, ok := errors.AsType[*iso8583.RuleError](err); !ok || r.DE != c.de {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := iso8583.Matches(req, iso8583.New(iso8583.ReversalAdviceAnswer)); err == nil {
		t.Error("a 0430 matches a 0200")
	}
}

func TestAmounts(t *testing.T) {
	m, err := iso8583.NewPayment(paymentOf(iso8583.PurchaseCashback))
	must(t, m, err)
	if a, ok := m.Amount(); !ok || a != (iso8583.Amount{Minor: 1234, Currency: 978}) {
		t.Errorf("Amount() = %v, %v", a, ok)
	}
	list, ok := m.AdditionalAmounts()
	if !ok || len(list) != 1 || list[0] != (iso8583.AdditionalAmount{Account: "00", Type: iso8583.AmountCashback, Amount: iso8583.Amount{Minor: 500, Currency: 978}, Debit: true}) {
		t.Errorf("AdditionalAmounts() = %v, %v", list, ok)
	}
	if m.Text(54) != "0040978D000000000500" {
		t.Errorf("DE 54 is %s", m.Text(54))
	}
}
