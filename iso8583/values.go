package iso8583

import "time"

// An Amount is a sum of money. It is never a float.
type Amount struct {
	Minor    int64  // minor units of Currency (cents for 978, yen for 392); never negative
	Currency uint16 // ISO 4217 numeric code
}

// maxMinor is the largest amount of DE 4.
const maxMinor = 999_999_999_999

// Amount returns DE 4 and DE 49. It reports false unless both are present.
func (m *Message) Amount() (Amount, bool) {
	if !m.Has(4) || !m.Has(49) {
		return Amount{}, false
	}
	return Amount{m.Number(4), uint16(m.Number(49))}, true
}

// SetAmount sets DE 4 and DE 49.
func (m *Message) SetAmount(a Amount) {
	if a.Minor < 0 || a.Minor > maxMinor {
		m.fail(4, "the amount is out of range")
		return
	}
	m.SetNumber(4, a.Minor)
	m.SetNumber(49, int64(a.Currency))
}

// STAN is DE 11, empty when absent.
func (m *Message) STAN() string { return m.Digits(11) }

// Terminal is DE 41, empty when absent.
func (m *Message) Terminal() string { return m.Text(41) }

// Merchant is DE 42, empty when absent.
func (m *Message) Merchant() string { return m.Text(42) }

// RRN is DE 37, empty when absent.
func (m *Message) RRN() string { return m.Text(37) }

// ResponseCode is DE 39, empty when absent.
func (m *Message) ResponseCode() string { return m.Text(39) }

// An Original names the message that another one refers to (DE 90).
type Original struct {
	MTI         MTI
	STAN        string // 6 digits, DE 11
	Transmitted string // 10 digits, DE 7
}

// OriginalOf names m, for the DE 90 of a message that refers to it. The repeat
// digit is cleared.
func OriginalOf(m *Message) Original {
	return Original{m.mti.ClearRepeat(), m.Digits(11), m.Digits(7)}
}

// Original reads DE 90. It reports false when it is absent.
func (m *Message) Original() (Original, bool) {
	c := m.content(90)
	if c == nil {
		return Original{}, false
	}
	d := m.Digits(90)
	return Original{MTI(c[0])<<8 | MTI(c[1]), d[4:10], d[10:20]}, true
}

// SetOriginal sets DE 90; the institution codes (DE 32, 33) are zeros.
func (m *Message) SetOriginal(o Original) {
	m.SetDigits(90, o.MTI.String()+o.STAN+o.Transmitted+"0000000000000000000000")
}

// Replacement reads what remains of the amount after a partial reversal (DE 95).
// It reports false when the element is absent.
func (m *Message) Replacement() (minor int64, ok bool) {
	c := m.content(95)
	if c == nil {
		return 0, false
	}
	for _, b := range c[:6] {
		minor = minor*100 + int64(b>>4)*10 + int64(b&15)
	}
	return minor, true
}

// SetReplacement sets DE 95.
func (m *Message) SetReplacement(minor int64) {
	if minor < 0 || minor > maxMinor {
		m.fail(95, "the amount is out of range")
		return
	}
	m.SetDigits(95, padDigits(minor, 12)+"000000000000000000000000000000")
}

// padDigits writes v with n digits.
func padDigits(v int64, n int) string {
	b := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		b[i] = '0' + byte(v%10)
		v /= 10
	}
	return string(b)
}

// setTimes sets DE 7 (UTC) and, with local, DE 12 and 13 in the zone of at.
func (m *Message) setTimes(at time.Time, local bool) {
	m.SetDigits(7, at.UTC().Format("0102150405"))
	if local {
		m.SetDigits(12, at.Format("150405"))
		m.SetDigits(13, at.Format("0102"))
	}
}

// The amount types of DE 54.
const (
	AmountLedger    = "01"
	AmountAvailable = "02"
	AmountCashback  = "40"
	AmountTip       = "44"
)

// An AdditionalAmount is one entry of DE 54.
type AdditionalAmount struct {
	Account string // 2 digits, 00 the default account
	Type    string // 2 digits, such as AmountCashback
	Amount  Amount
	Debit   bool // D: owed by the cardholder
}

// AdditionalAmounts reads DE 54. It reports false when an entry is malformed.
func (m *Message) AdditionalAmounts() ([]AdditionalAmount, bool) {
	s := m.Text(54)
	if len(s)%20 != 0 {
		return nil, false
	}
	var list []AdditionalAmount
	for ; s != ""; s = s[20:] {
		a := AdditionalAmount{Account: s[:2], Type: s[2:4], Debit: s[7] == 'D'}
		for i := range 20 {
			if i != 7 && (s[i] < '0' || s[i] > '9') {
				return nil, false
			}
		}
		if s[7] != 'C' && s[7] != 'D' {
			return nil, false
		}
		for _, d := range s[4:7] {
			a.Amount.Currency = a.Amount.Currency*10 + uint16(d-'0')
		}
		for _, d := range s[8:20] {
			a.Amount.Minor = a.Amount.Minor*10 + int64(d-'0')
		}
		list = append(list, a)
	}
	return list, true
}

// SetAdditionalAmounts sets DE 54, at most six entries.
func (m *Message) SetAdditionalAmounts(list ...AdditionalAmount) {
	s := ""
	for _, a := range list {
		if a.Amount.Minor < 0 || a.Amount.Minor > maxMinor || a.Amount.Currency > 999 || len(a.Account) != 2 || len(a.Type) != 2 {
			m.fail(54, "an amount does not fit")
			return
		}
		sign := "C"
		if a.Debit {
			sign = "D"
		}
		s += a.Account + a.Type + padDigits(int64(a.Amount.Currency), 3) + sign + padDigits(a.Amount.Minor, 12)
	}
	m.SetText(54, s)
}
