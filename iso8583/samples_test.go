package iso8583_test

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// sampleKeys are published test keys: the working keys of the first transaction
// of BDK FEDCBA9876543210F1F1F1F1F1F1F1F1 (ANSI X9.24-3:2017 supplement).
const (
	sampleKSN       = "123456789012345600000001"
	sampleMACKey    = "A2DC23DE6FDE0824A2BC321E08E4B8B7" // MAC generation: requests
	sampleAnswerKey = "DBB463945B286C07CD3AD82EE96FD9C9" // MAC verification: answers
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// sampleMAC is the MAC of an AES key set.
func sampleMAC(key string) func([]byte) ([iso8583.MACSize]byte, error) {
	return func(in []byte) (out [iso8583.MACSize]byte, err error) {
		full, err := mac.CMACAES(unhex(key), in)
		copy(out[:], full)
		return out, err
	}
}

var sampleTime = time.Date(2026, 11, 24, 14, 5, 9, 0, time.FixedZone("CET", 3600))

func attempt(n byte) iso8583.AttemptID {
	return iso8583.AttemptID{0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18, 15: n}
}

func sampleHeader(stan uint32) iso8583.Header {
	return iso8583.Header{Terminal: "TERM0001", Merchant: "MERCHANT0000001", STAN: stan, At: sampleTime}
}

// sampleChip is DE 55 of a chip payment without card data.
var sampleChip = unhex("82021C00" + "9F02060000000012349F0306000000000000" + "9F1A020276" + "95050000008000" + "5F2A020978" +
	"9A03261124" + "9C0100" + "9F370411223344" + "9F3602001C" + "9F2701809F2608A1A2A3A4A5A6A7A8" + "9F100706010A03A00000" + "9F3303E0F8C8" + "9F34030203008407A0000000031010")

func card() iso8583.CardData {
	return iso8583.CardData{IV: unhex("000102030405060708090A0B0C0D0E0F"), Ciphertext: unhex("101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F")}
}

// paymentOf makes a complete payment of every transaction type.
func paymentOf(t iso8583.TransactionType) iso8583.Payment {
	row := t.Info()
	ksn := unhex(sampleKSN)
	p := iso8583.Payment{
		Header: sampleHeader(1234), Type: t, Amount: iso8583.Amount{Minor: 1234, Currency: 978}, Entry: "051", Chip: sampleChip, CardSequence: "001",
		Private: iso8583.Private{AttemptID: attempt(7), DataKSN: ksn, CardData: card()},
	}
	if row.MTI != iso8583.FinancialAdvice {
		p.Private.PINKSN, p.Private.PINBlock = ksn, secret.New(unhex("C0FFEE00112233445566778899AABBCC"))
	}
	if row.Original == iso8583.Mandatory {
		p.RRN, p.Original = "000000000042", iso8583.Original{MTI: iso8583.FinancialRequest, STAN: "001200", Transmitted: "1124130000"}
		p.Private.OriginalAttemptID = attempt(3)
		p.Entry, p.Chip, p.Private.DataKSN, p.Private.CardData, p.Private.PINKSN, p.Private.PINBlock = "011", nil, nil, iso8583.CardData{}, nil, secret.Secret{}
	}
	switch t {
	case iso8583.PurchaseCashback, iso8583.OfflineCashback:
		p.Cashback = 500
	case iso8583.TipAdjustment:
		p.Tip = 100
	case iso8583.TokenPurchase:
		p.Entry, p.Chip, p.CardSequence = "100", nil, ""
		p.Private = iso8583.Private{AttemptID: attempt(7), Token: "T0KEN0T0KEN0T0KEN0T0KEN0"}
	}
	return p
}

// sealed packs m as its sender would: with a fresh KSN and the MAC of its
// direction, an echo with neither.
func sealed(t testing.TB, m *iso8583.Message) []byte {
	t.Helper()
	if m.Digits(70) == iso8583.Echo {
		b, err := iso8583.Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	p, err := m.Private()
	if err != nil {
		t.Fatal(err)
	}
	p.MACKSN = unhex(sampleKSN)
	m.SetPrivate(p)
	key := sampleMACKey
	if m.MTI().IsAnswer() {
		key = sampleAnswerKey
	}
	b, err := iso8583.SealMAC(m, sampleMAC(key))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A sample is a complete message that the table allows.
type sample struct {
	name string
	dir  iso8583.Direction
	raw  []byte
}

// must fails the test on an error of a builder.
func must(t testing.TB, m *iso8583.Message, err error) *iso8583.Message {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// samples makes every message type and transaction type of the table, with its
// answer.
func samples(t testing.TB) []sample {
	var list []sample
	add := func(name string, req *iso8583.Message, finish func(*iso8583.Message)) {
		raw := sealed(t, req)
		list = append(list, sample{name, iso8583.ToHost, raw})
		got := must(t, unpacked(t, raw), nil)
		a, err := iso8583.Answer(got, "00")
		must(t, a, err)
		if finish != nil {
			finish(a)
		}
		list = append(list, sample{name + " answer", iso8583.ToTerminal, sealed(t, a)})
		if r, ok := req.AsRepeat(); ok {
			list = append(list, sample{name + " repeat", iso8583.ToHost, sealed(t, r)})
		}
	}
	approve := func(a *iso8583.Message) {
		a.SetText(37, "000000000099")
		if a.MTI().Class() == iso8583.ClassPayment {
			a.SetText(38, "A1B2C3")
		}
	}
	for _, row := range iso8583.Transactions() {
		m, err := iso8583.NewPayment(paymentOf(row.Type))
		add(row.Name, must(t, m, err), approve)
	}
	sale, err := iso8583.NewPayment(paymentOf(iso8583.Purchase))
	must(t, sale, err)
	r, err := iso8583.NewReversal(sale, iso8583.Reversal{STAN: 1235, At: sampleTime.Add(30 * time.Second),
		Private: iso8583.Private{AttemptID: attempt(8), Reason: iso8583.ReasonNoAnswer}})
	add("reversal", must(t, r, err), approve)
	r, err = iso8583.NewReversal(sale, iso8583.Reversal{STAN: 1236, At: sampleTime, RRN: "000000000099", Remaining: 1000, Chip: sampleChip,
		Private: iso8583.Private{Reason: iso8583.ReasonPartialReversal}})
	add("partial reversal", must(t, r, err), approve)
	ans, err := iso8583.Answer(sale, "00")
	must(t, ans, err)
	approve(ans)
	u, err := iso8583.NewUpload(sale, ans, 1240, sampleTime, iso8583.Private{AttemptID: attempt(9), Upload: &iso8583.UploadPosition{Batch: 5, Index: 1, Count: 2}})
	add("upload", must(t, u, err), approve)
	totals := &iso8583.Totals{Batch: 5, Currency: 978, Debits: iso8583.Total{Count: 2, Minor: 2468}, DebitReversals: iso8583.Total{Count: 1, Minor: 1234}}
	for _, after := range []bool{false, true} {
		q, err := iso8583.NewReconcile(sampleHeader(1250), after, iso8583.Private{AttemptID: attempt(10), Totals: totals, Queues: &iso8583.Queues{}})
		add(fmt.Sprintf("reconciliation after upload %v", after), must(t, q, err), func(a *iso8583.Message) {
			a.SetDigits(66, "1")
			p, _ := a.Private()
			p.Checkpoint = checkpoint()
			a.SetPrivate(p)
		})
	}
	for _, n := range networkSamples() {
		q, err := iso8583.NewNetwork(sampleHeader(1), n.code, n.request)
		add(n.code, must(t, q, err), func(a *iso8583.Message) {
			if n.code != iso8583.Echo {
				n.answer.MACKSN = unhex(sampleKSN)
				a.SetPrivate(n.answer)
			}
		})
	}
	return list
}

func unpacked(t testing.TB, raw []byte) *iso8583.Message {
	t.Helper()
	m, err := iso8583.Unpack(raw)
	if err != nil {
		t.Fatalf("Unpack(%X): %v", raw, err)
	}
	return m
}

func checkpoint() *iso8583.Checkpoint {
	return &iso8583.Checkpoint{Node: "node-1", Boot: 3, Count: 77, Head: [32]byte{1, 2, 3}, Signature: [64]byte{4, 5, 6}}
}

type networkSample struct {
	code            string
	request, answer iso8583.Private
}

func networkSamples() []networkSample {
	return []networkSample{
		{iso8583.SignOn, iso8583.Private{Software: "1.0.0", Parameters: []iso8583.ParameterVersion{{Set: 1, Version: 4}}, Capabilities: iso8583.CapPartialApproval, Queues: &iso8583.Queues{Advices: 2}},
			iso8583.Private{HighestKSNs: [][]byte{unhex("123456789012345600000009"), unhex("FFFF9876543210E00009")}, Checkpoint: checkpoint()}},
		{iso8583.SignOff, iso8583.Private{AttemptID: attempt(1)}, iso8583.Private{AttemptID: attempt(1)}},
		{iso8583.KeyExchange, iso8583.Private{AttemptID: attempt(2)}, iso8583.Private{AttemptID: attempt(2), KeyBlock: "D0144B1TX00E0100KS1812345678901234560000", KCV: unhex("0102030405")}},
		{iso8583.Echo, iso8583.Private{}, iso8583.Private{}},
		{iso8583.ParameterDownload, iso8583.Private{Request: &iso8583.ParameterRequest{Set: 1}}, iso8583.Private{Chunk: &iso8583.ParameterChunk{Set: 1, Version: 4, Total: 800, Hash: [32]byte{9}, Data: make([]byte, 800)}}},
	}
}
