package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// Examples are the worked values that the prose names.
type Examples struct {
	BDK, KSN, PINKey, MACKey, AnswerKey, DataKey string
	PAN, PIN, PINField, PANField, PINBlock       string
	Blob, IV, Ciphertext                         string
	MACInput, MAC, Frame, FrameTPDU              string
	Original, Replacement, Cashback              string

	messages map[string][]byte
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// exampleTime is the time of the example payment, one hour ahead of UTC.
var exampleTime = time.Date(2026, 11, 24, 14, 5, 9, 0, time.FixedZone("CET", 3600))

func exampleHeader(stan uint32, after time.Duration) iso8583.Header {
	return iso8583.Header{Terminal: "TERM0001", Merchant: "MERCHANT0000001", STAN: stan, At: exampleTime.Add(after)}
}

// exampleAttempt is the id of the n-th attempt of the example journal.
func exampleAttempt(n uint64) (a iso8583.AttemptID) {
	copy(a[:], unhex("A1B2C3D4E5F60718"))
	binary.BigEndian.PutUint64(a[8:], n)
	return a
}

// exampleChip is DE 55 of the example payment.
func exampleChip() []byte {
	var b []byte
	for _, o := range []struct {
		tag   uint32
		value string
	}{
		{0x82, "1C00"}, {0x84, "A0000000031010"}, {0x95, "0000008000"}, {0x9A, "261124"}, {0x9C, "00"}, {0x5F2A, "0978"}, {0x5F34, "01"},
		{0x9F02, "000000001234"}, {0x9F03, "000000000000"}, {0x9F10, "06010A03A00000"}, {0x9F1A, "0276"}, {0x9F26, "A1A2A3A4A5A6A7A8"},
		{0x9F27, "80"}, {0x9F33, "E0F8C8"}, {0x9F34, "020300"}, {0x9F36, "001C"}, {0x9F37, "11223344"},
	} {
		b = ber.Append(b, o.tag, unhex(o.value))
	}
	return b
}

func makeExamples() (*Examples, error) {
	ex := &Examples{
		BDK: exampleBDK, KSN: exampleKSN, PINKey: examplePINKey, MACKey: exampleMACKey, AnswerKey: exampleAnswer, DataKey: exampleDataKey,
		PAN: examplePAN, PIN: examplePIN, IV: exampleIV, messages: map[string][]byte{},
	}
	clear, data, err := encryptCard()
	if err != nil {
		return nil, err
	}
	ex.Blob, ex.Ciphertext = upper(clear), upper(data.Ciphertext)
	pinField, panField, pin, err := encryptPIN()
	if err != nil {
		return nil, err
	}
	ex.PINField, ex.PANField, ex.PINBlock = upper(pinField), upper(panField), upper(pin)
	sale, err := iso8583.NewPayment(iso8583.Payment{
		Header: exampleHeader(1234, 0), Type: iso8583.Purchase, Amount: iso8583.Amount{Minor: 1234, Currency: 978}, Entry: "051", CardSequence: "001", Chip: exampleChip(),
		Private: iso8583.Private{AttemptID: exampleAttempt(7), MACKSN: unhex(exampleKSN), PINKSN: unhex(exampleKSN), DataKSN: unhex(exampleKSN),
			CardData: data, PINBlock: secret.New(pin)},
	})
	if err != nil {
		return nil, err
	}
	if err := ex.exchange(sale, func(a *iso8583.Message) {
		a.SetText(37, "000000000042")
		a.SetText(38, "A1B2C3")
		a.SetBytes(55, ber.Append(nil, 0x91, unhex("B1B2B3B4B5B6B7B83030")))
	}); err != nil {
		return nil, err
	}
	if err := ex.others(sale); err != nil {
		return nil, err
	}
	return ex, ex.values()
}

// others makes the reversal of the sale, a sign-on and an echo.
func (ex *Examples) others(sale *iso8583.Message) error {
	reversal, err := iso8583.NewReversal(sale, iso8583.Reversal{STAN: 1235, At: exampleTime.Add(26 * time.Second),
		Private: iso8583.Private{AttemptID: exampleAttempt(8), MACKSN: unhex(exampleKSN), Reason: iso8583.ReasonNoAnswer}})
	if err != nil {
		return err
	}
	if err := ex.exchange(reversal, func(a *iso8583.Message) { a.SetText(37, "000000000043") }); err != nil {
		return err
	}
	echo, err := iso8583.NewNetwork(exampleHeader(1233, -time.Minute), iso8583.Echo, iso8583.Private{})
	if err != nil {
		return err
	}
	return ex.exchange(echo, func(*iso8583.Message) {})
}

// exchange keeps a request and its answer with DE 39 = 00, packed and checked.
func (ex *Examples) exchange(req *iso8583.Message, finish func(*iso8583.Message)) error {
	ans, err := iso8583.Answer(req, "00")
	if err != nil {
		return err
	}
	finish(ans)
	for _, s := range []struct {
		m   *iso8583.Message
		key string
		d   iso8583.Direction
	}{{req, exampleMACKey, iso8583.ToHost}, {ans, exampleAnswer, iso8583.ToTerminal}} {
		raw, err := iso8583.Pack(s.m)
		if s.m.Digits(70) != iso8583.Echo && err == nil {
			raw, err = iso8583.SealMAC(s.m, cmac(s.key))
		}
		if err != nil {
			return err
		}
		back, err := iso8583.Unpack(raw)
		if err != nil {
			return err
		}
		if err := iso8583.Validate(back, s.d); err != nil {
			return err
		}
		ex.messages[s.m.MTI().String()] = raw
	}
	return nil
}

// values derives what the prose shows of single elements and of framing.
func (ex *Examples) values() error {
	input, sum, err := iso8583.MACInput(ex.messages["0200"])
	if err != nil {
		return err
	}
	ex.MACInput, ex.MAC = wrapHex(input), upper(sum)
	echo := iso8583.Frame{Body: ex.messages["0800"]}
	plain, err := iso8583.AppendFrame(nil, echo)
	if err != nil {
		return err
	}
	echo.TPDU = iso8583.TPDU{0x60, 0x00, 0x12, 0x80, 0x34}
	with, err := iso8583.AppendFrame(nil, echo)
	if err != nil {
		return err
	}
	ex.Frame, ex.FrameTPDU = upper(plain[:6]), upper(with[:11])
	m := iso8583.New(iso8583.ReversalAdvice)
	m.SetOriginal(iso8583.Original{MTI: iso8583.FinancialRequest, STAN: "001234", Transmitted: "1124130509"})
	m.SetReplacement(1000)
	m.SetAdditionalAmounts(iso8583.AdditionalAmount{Account: "00", Type: iso8583.AmountCashback, Amount: iso8583.Amount{Minor: 500, Currency: 978}, Debit: true})
	ex.Original, ex.Replacement, ex.Cashback = m.Digits(90), m.Digits(95), m.Text(54)
	return m.Err()
}

// wrapHex writes bytes in lines of 32.
func wrapHex(b []byte) string {
	var lines []string
	for len(b) > 32 {
		lines, b = append(lines, upper(b[:32])), b[32:]
	}
	return strings.Join(append(lines, upper(b)), "\n")
}

// annotated lists one of the example messages byte by byte.
func (ex *Examples) annotated(mti string) (string, error) {
	raw, ok := ex.messages[mti]
	if !ok {
		return "", fmt.Errorf("there is no example %s", mti)
	}
	return annotate(raw)
}
