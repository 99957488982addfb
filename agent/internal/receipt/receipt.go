// Package receipt writes the two copies of a payment's receipt as plain text.
//
// A receipt shows the last four digits of the card number and nothing else of
// the card's secrets; the expiry date is on neither copy. In lab mode every copy
// says TEST (rule 12).
package receipt

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Copy is one of the two copies.
type Copy uint8

// The copies.
const (
	Merchant Copy = iota
	Customer
)

// String names the copy as it is printed.
func (c Copy) String() string { return [...]string{"MERCHANT COPY", "CUSTOMER COPY"}[c] }

// Width is the number of characters of a line: what the narrow paper takes.
const Width = 40

// Verification is how the cardholder was verified (tag 9F34), as it is printed.
type Verification string

// The ways of verification.
const (
	ByPIN       Verification = "PIN VERIFIED"
	BySignature Verification = "SIGNATURE"
	ByDevice    Verification = "VERIFIED ON DEVICE"
	ByNothing   Verification = "NO VERIFICATION REQUIRED"
	NotVerified Verification = "NOT VERIFIED"
)

// A Receipt is what is printed.
type Receipt struct {
	Lab bool // print TEST

	MerchantName string
	Address      []string
	MerchantID   string // DE 42
	TerminalID   string // DE 41

	At       time.Time // local time
	Kind     string    // "PURCHASE"
	Amount   int64     // minor units, with cashback
	Cashback int64     // minor units, part of Amount
	Currency string    // ISO 4217 letters
	Exponent int       // minor digits of the currency

	STAN, RRN, AuthCode, ResponseCode string

	Approved bool
	Outcome  string // "APPROVED", "DECLINED", "CANCELLED", "REVERSED"
	Reason   string // why it is not approved, for the customer

	EntryMode    string // "CHIP"
	LastFour     string
	AID          string // hex
	Label        string // 9F12 or 50
	Cryptogram   string // "TC", "AAC", "ARQC" and the value, hex
	Verification Verification
	TVR, TSI     string // hex
	ARC          string // tag 8A
	IAD, ATC     string // hex
	Footer       []string
}

// Text is one copy, lines of at most Width characters ending in newline.
func (r Receipt) Text(c Copy) string {
	p := &paper{}
	r.head(p, c)
	r.payment(p)
	r.card(p, c)
	r.foot(p, c)
	return p.b.String()
}

func (r Receipt) head(p *paper, c Copy) {
	if r.Lab {
		p.center("*** TEST - NO MONEY IS MOVED ***")
	}
	p.center(r.MerchantName)
	for _, line := range r.Address {
		p.center(line)
	}
	p.blank()
	p.center(c.String())
	p.blank()
	p.pair("MERCHANT", r.MerchantID)
	p.pair("TERMINAL", r.TerminalID)
	p.pair(r.At.Format("2006-01-02"), r.At.Format("15:04:05"))
	p.pair("STAN", r.STAN)
	p.pair("RRN", r.RRN)
}

func (r Receipt) payment(p *paper) {
	p.rule()
	p.line(r.Kind)
	if r.Cashback > 0 {
		p.pair("GOODS", Money(r.Amount-r.Cashback, r.Exponent, r.Currency))
		p.pair("CASHBACK", Money(r.Cashback, r.Exponent, r.Currency))
	}
	p.pair("TOTAL", Money(r.Amount, r.Exponent, r.Currency))
	p.rule()
	p.center(r.Outcome)
	if r.Reason != "" {
		p.wrapped(r.Reason)
	}
	p.pair("AUTHORIZATION", r.AuthCode)
	p.pair("RESPONSE", r.ResponseCode)
}

func (r Receipt) card(p *paper, c Copy) {
	if r.LastFour == "" {
		return // the card was never read
	}
	p.blank()
	p.pair("CARD", "**** "+r.LastFour)
	p.pair("ENTRY", r.EntryMode)
	p.line(r.Label)
	p.pair("AID", r.AID)
	if c == Customer {
		if r.Approved {
			p.line(string(r.Verification))
		}
		return
	}
	p.pair("ATC", r.ATC)
	p.line(r.Cryptogram)
	p.pair("TVR", r.TVR)
	p.pair("TSI", r.TSI)
	p.pair("ARC", r.ARC)
	p.wrappedPair("IAD", r.IAD)
	p.line(string(r.Verification))
	if r.Approved && r.Verification == BySignature {
		p.blank()
		p.blank()
		p.line("X" + strings.Repeat("_", Width-1))
	}
}

func (r Receipt) foot(p *paper, c Copy) {
	p.blank()
	if c == Customer {
		for _, line := range r.Footer {
			p.center(line)
		}
		p.center("PLEASE KEEP THIS RECEIPT")
	}
	if r.Lab {
		p.center("*** TEST ***")
	}
}

// Money writes an amount with its minor digits and currency: "12.34 EUR".
func Money(minor int64, exponent int, currency string) string {
	if exponent == 0 {
		return fmt.Sprintf("%d %s", minor, currency)
	}
	unit := int64(1)
	for range exponent {
		unit *= 10
	}
	return fmt.Sprintf("%d.%0*d %s", minor/unit, exponent, minor%unit, currency)
}

// paper collects lines.
type paper struct{ b strings.Builder }

func (p *paper) blank() { p.b.WriteByte('\n') }

func (p *paper) rule() { p.line(strings.Repeat("-", Width)) }

// line prints a text that is not empty, cut at the edge of the paper.
func (p *paper) line(s string) {
	if s = printable(s); s != "" {
		p.b.WriteString(cut(s, Width) + "\n")
	}
}

func (p *paper) center(s string) {
	s = cut(printable(s), Width)
	if s != "" {
		p.b.WriteString(strings.Repeat(" ", (Width-utf8.RuneCountInString(s))/2) + s + "\n")
	}
}

// pair prints a name on the left and a value on the right, nothing without a value.
func (p *paper) pair(name, value string) {
	value = printable(value)
	if value == "" {
		return
	}
	space := Width - utf8.RuneCountInString(name) - utf8.RuneCountInString(value)
	if space < 1 {
		p.wrappedPair(name, value)
		return
	}
	p.b.WriteString(name + strings.Repeat(" ", space) + value + "\n")
}

// wrappedPair prints a long value on lines of its own.
func (p *paper) wrappedPair(name, value string) {
	if value == "" {
		return
	}
	runes := []rune(value)
	first := true
	for len(runes) > 0 {
		n := min(len(runes), Width-len(name)-1)
		left := name
		if !first {
			left = strings.Repeat(" ", len(name))
		}
		p.line(left + " " + string(runes[:n]))
		runes, first = runes[n:], false
	}
}

// wrapped centres a sentence on as many lines as it needs.
func (p *paper) wrapped(s string) {
	line := ""
	for _, word := range strings.Fields(printable(s)) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > Width {
			p.center(line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	p.center(line)
}

// printable takes control characters out: a card's label must not drive a
// printer.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F || r >= 0x80 && r < 0xA0 || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
}

func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n])
}
