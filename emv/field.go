package emv

import "fmt"

// A Cryptogram is a kind of Application Cryptogram, numbered as bits 8 and 7 of
// the Cryptogram Information Data (Book 3 6.5.5.4). A greater one is an answer
// higher than a smaller one only in this order: AAC, ARQC, TC; see [Cryptogram.Over].
type Cryptogram byte

// The kinds of cryptogram.
const (
	AAC  Cryptogram = 0x00 // declined
	TC   Cryptogram = 0x40 // approved
	ARQC Cryptogram = 0x80 // to be decided online
)

// String is "AAC", "TC", "ARQC" or "RFU".
func (c Cryptogram) String() string {
	switch c {
	case AAC:
		return "AAC"
	case TC:
		return "TC"
	case ARQC:
		return "ARQC"
	}
	return "RFU"
}

// Over reports whether c is higher than the terminal asked for: a card may lower
// TC to ARQC or AAC and ARQC to AAC, never the other way (Book 3 6.5.5.4, 10.8).
func (c Cryptogram) Over(asked Cryptogram) bool { return c.rank() > asked.rank() }

func (c Cryptogram) rank() int {
	switch c {
	case AAC:
		return 0
	case ARQC:
		return 1
	case TC:
		return 2
	}
	return 3 // reserved: over everything
}

// A CID is the Cryptogram Information Data, tag 9F27 (Book 3 6.5.5.4).
type CID byte

// Cryptogram is the kind of cryptogram; reserved bits give a value that prints RFU.
func (c CID) Cryptogram() Cryptogram { return Cryptogram(c & 0xC0) }

// PaymentSystem is the payment system-specific cryptogram type, 0 to 3.
func (c CID) PaymentSystem() int { return int(c >> 4 & 3) }

// Advice reports whether the card asks for an advice message.
func (c CID) Advice() bool { return c&0x08 != 0 }

// Reason is the reason code: 0 none, 1 service not allowed, 2 PIN Try Limit
// exceeded, 3 issuer authentication failed.
func (c CID) Reason() int { return int(c & 7) }

// String is the meaning in words.
func (c CID) String() string {
	s := c.Cryptogram().String()
	if c.Advice() {
		s += ", advice required"
	}
	reasons := [...]string{"", ", service not allowed", ", PIN Try Limit exceeded", ", issuer authentication failed"}
	if c.Reason() < len(reasons) {
		return s + reasons[c.Reason()]
	}
	return s + ", reserved reason"
}

// A TerminalType is tag 9F35 as it is written, 0x22 for type 22 (Book 4 Annex A1).
type TerminalType byte

// An Operator is who runs a terminal.
type Operator string

// The operators of a terminal.
const (
	OperatedByInstitution Operator = "financial_institution"
	OperatedByMerchant    Operator = "merchant"
	OperatedByCardholder  Operator = "cardholder"
)

// A Connection is how a terminal gets its decisions.
type Connection string

// The connections of a terminal.
const (
	OnlineOnly        Connection = "online_only"
	OfflineWithOnline Connection = "offline_with_online"
	OfflineOnly       Connection = "offline_only"
)

// Valid reports whether t is one of the types of the annex.
func (t TerminalType) Valid() bool {
	tens, ones := t>>4, t&0x0F
	return tens >= 1 && tens <= 3 && ones >= 1 && ones <= 6 && (tens != 3 || ones >= 4)
}

// Operator is who runs the terminal.
func (t TerminalType) Operator() Operator {
	switch t >> 4 {
	case 1:
		return OperatedByInstitution
	case 2:
		return OperatedByMerchant
	}
	return OperatedByCardholder
}

// Attended reports whether somebody serves at the terminal.
func (t TerminalType) Attended() bool { return t&0x0F <= 3 }

// Connection is how the terminal gets its decisions.
func (t TerminalType) Connection() Connection {
	switch t & 0x0F {
	case 1, 4:
		return OnlineOnly
	case 2, 5:
		return OfflineWithOnline
	}
	return OfflineOnly
}

// ATM reports whether the terminal counts as an ATM (Book 4 Annex A1): run by a
// financial institution, unattended, and able to give out cash, bit 8 of byte 1
// of the Additional Terminal Capabilities more.
func (t TerminalType) ATM(more []byte) bool {
	return (t == 0x14 || t == 0x15 || t == 0x16) && TypeCash.In(more)
}

// String is the meaning in words.
func (t TerminalType) String() string {
	if !t.Valid() {
		return fmt.Sprintf("unknown terminal type %02X", byte(t))
	}
	attended := "unattended"
	if t.Attended() {
		attended = "attended"
	}
	return fmt.Sprintf("%s, %s, %s", t.Operator(), attended, t.Connection())
}
