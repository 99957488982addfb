package cryptogram

import (
	"fmt"

	"tallystick.example/internal/pure/ber"
)

// Tags that the cryptogram functions read (EMV Book 3, Annex A).
const (
	tagAmount            = 0x9F02
	tagAmountOther       = 0x9F03
	tagTerminalCountry   = 0x9F1A
	tagTVR               = 0x95
	tagCurrency          = 0x5F2A
	tagDate              = 0x9A
	tagType              = 0x9C
	tagUnpredictable     = 0x9F37
	tagAIP               = 0x82
	tagATC               = 0x9F36
	tagIssuerApplication = 0x9F10
	tagCryptogram        = 0x9F26
)

// Fields are the data objects of one transaction by tag.
type Fields map[uint32][]byte

// maxDE55 is the longest DE 55 of ISO 8583 (LLLVAR).
const maxDE55 = 999

// FieldsFromDE55 reads the chip data of a message: BER-TLV, no tag twice (the
// card would have signed one of them and the issuer checked the other).
// Malformed data give ErrInput. The result does not alias de55.
func FieldsFromDE55(de55 []byte) (Fields, error) {
	if len(de55) > maxDE55 {
		return nil, fmt.Errorf("%w: chip data of %d bytes", ErrInput, len(de55))
	}
	nodes, err := ber.Parse(de55, ber.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%w: chip data: %w", ErrInput, err)
	}
	fields := make(Fields, len(nodes))
	for _, n := range nodes {
		if _, twice := fields[n.Tag]; twice {
			return nil, fmt.Errorf("%w: tag %X is there twice", ErrInput, n.Tag)
		}
		fields[n.Tag] = n.Value
	}
	return fields, nil
}

// get is the value of tag, which must have size bytes.
func (f Fields) get(tag uint32, size int) ([]byte, error) {
	v, ok := f[tag]
	if !ok {
		return nil, fmt.Errorf("%w: tag %X is missing", ErrInput, tag)
	}
	if len(v) != size {
		return nil, fmt.Errorf("%w: tag %X has %d bytes, want %d", ErrInput, tag, len(v), size)
	}
	return v, nil
}

func (f Fields) session(m Method) Session {
	return Session{Method: m, ATC: f[tagATC], UN: f[tagUnpredictable]}
}
