package emv

import "fmt"

// An SW is the status word SW1 SW2 of an answer (ISO/IEC 7816-4 5.6).
type SW uint16

// Status words with a meaning for EMV.
const (
	SWOK               SW = 0x9000
	SWInvalidated      SW = 0x6283 // selected file invalidated: blocked application
	SWNoTries          SW = 0x63C0 // verification failed, no tries left
	SWBlocked          SW = 0x6983 // authentication method blocked
	SWUnusable         SW = 0x6984 // reference data not usable
	SWConditions       SW = 0x6985 // conditions of use not satisfied
	SWNotSupported     SW = 0x6A81 // function not supported: blocked card at SELECT
	SWFileNotFound     SW = 0x6A82
	SWRecordNotFound   SW = 0x6A83
	SWReferenceMissing SW = 0x6A88
)

// Class is "normal", "warning" or "error".
func (s SW) Class() string {
	switch s >> 8 {
	case 0x61:
		return "normal"
	case 0x62, 0x63:
		return "warning"
	}
	if s == SWOK {
		return "normal"
	}
	return "error"
}

// Available is the number of bytes that GET RESPONSE can fetch after 61xx; 00
// stands for 256.
func (s SW) Available() (n int, ok bool) { return length(s, 0x61) }

// ExactLength is the length to repeat a command with after 6Cxx; 00 stands for 256.
func (s SW) ExactLength() (n int, ok bool) { return length(s, 0x6C) }

// Counter is the counter of 63Cx: the PIN tries that are left.
func (s SW) Counter() (n int, ok bool) { return int(s & 0x0F), s&0xFFF0 == SWNoTries }

func length(s SW, sw1 SW) (int, bool) {
	if s>>8 != sw1 {
		return 0, false
	}
	if s&0xFF == 0 {
		return 256, true
	}
	return int(s & 0xFF), true
}

// String is the status word in hexadecimal with its meaning.
func (s SW) String() string {
	if n, ok := s.Available(); ok {
		return fmt.Sprintf("%04X (%d bytes available)", uint16(s), n)
	}
	if n, ok := s.ExactLength(); ok {
		return fmt.Sprintf("%04X (wrong length, %d is right)", uint16(s), n)
	}
	if n, ok := s.Counter(); ok {
		return fmt.Sprintf("%04X (verification failed, %d tries left)", uint16(s), n)
	}
	if text, ok := swTexts[s]; ok {
		return fmt.Sprintf("%04X (%s)", uint16(s), text)
	}
	return fmt.Sprintf("%04X (%s)", uint16(s), s.Class())
}

var swTexts = map[SW]string{
	SWOK:               "success",
	SWInvalidated:      "selected file invalidated",
	0x6300:             "verification failed",
	0x6700:             "wrong length",
	0x6982:             "security status not satisfied",
	SWBlocked:          "authentication method blocked",
	SWUnusable:         "reference data not usable",
	SWConditions:       "conditions of use not satisfied",
	SWNotSupported:     "function not supported",
	SWFileNotFound:     "file or application not found",
	SWRecordNotFound:   "record not found",
	0x6A86:             "wrong parameters P1 P2",
	SWReferenceMissing: "referenced data not found",
	0x6D00:             "instruction not supported",
	0x6E00:             "class not supported",
}
