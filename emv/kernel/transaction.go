package kernel

import (
	"errors"
	"fmt"
	"io"

	"tallystick.example/emv"
)

// A Kind is what the cardholder does; restrictions and the conditions of
// cardholder verification depend on it.
type Kind int

// The kinds of transaction.
const (
	Purchase Kind = iota
	PurchaseWithCashback
	ManualCash     // cash from somebody at the terminal
	UnattendedCash // cash from a machine
	Refund
	Inquiry
)

// typeCode is tag 9C: the first two digits of the processing code (ISO 8583:1987).
func (k Kind) typeCode() byte {
	return [...]byte{0x00, 0x09, 0x01, 0x01, 0x20, 0x30}[k]
}

// Cash reports whether only cash is given out.
func (k Kind) Cash() bool { return k == ManualCash || k == UnattendedCash }

// A Transaction is one payment. [Callbacks.CardRead] may still change Kind,
// Amount, Other, Currency, Exponent and ForceOnline.
type Transaction struct {
	Kind     Kind
	Amount   int64 // minor units, with Other: what the cardholder is charged
	Other    int64 // minor units: the cashback in Amount
	Currency int   // ISO 4217 numeric
	Exponent int   // minor units of the currency, 2 for EUR
	Date     emv.Day
	Time     [3]int // hour, minute, second of the terminal
	Sequence uint32 // 9F41, at most eight digits

	// ForceOnline is the merchant's wish (TVR B4b4).
	ForceOnline bool
	// Random gives the unpredictable number and the random selection. It is
	// crypto/rand.Reader in a terminal.
	Random io.Reader
}

// check says what is wrong with t: a mistake of the caller.
func (t *Transaction) check() error {
	switch {
	case t.Kind < Purchase || t.Kind > Inquiry:
		return fmt.Errorf("kernel: no transaction kind %d", t.Kind)
	case t.Random == nil:
		return errors.New("kernel: the transaction has no source of randomness")
	case t.Amount < 0 || t.Amount > 999_999_999_999:
		return errors.New("kernel: the amount does not fit 12 digits")
	case t.Other < 0 || t.Other > t.Amount:
		return errors.New("kernel: the cashback is not part of the amount")
	case t.Other > 0 && t.Kind != PurchaseWithCashback:
		return errors.New("kernel: cashback in a transaction without it")
	case t.Currency < 1 || t.Currency > 999:
		return fmt.Errorf("kernel: currency %d is no ISO 4217 number", t.Currency)
	case t.Exponent < 0 || t.Exponent > 4:
		return fmt.Errorf("kernel: a currency with %d minor digits", t.Exponent)
	case t.Sequence > 99_999_999:
		return errors.New("kernel: the sequence counter has more than eight digits")
	}
	if _, err := emv.ParseDay(t.Date.Bytes()); err != nil {
		return errors.New("kernel: the transaction has no date")
	}
	return nil
}

// binaryAmount is an amount in the four bytes of tags 81 and 9F04, at most FFFFFFFF.
func binaryAmount(minor int64) []byte {
	minor = min(minor, 0xFFFFFFFF)
	return []byte{byte(minor >> 24), byte(minor >> 16), byte(minor >> 8), byte(minor)}
}

// digits is a number in format n. It panics when it does not fit: the callers
// have checked their ranges.
func digits(n int64, length int) []byte {
	text := fmt.Sprint(n)
	out, err := emv.FormatDigits(emv.FormatN, text, length)
	if err != nil || len(text) > 2*length {
		panic("kernel: number out of range")
	}
	return out
}
