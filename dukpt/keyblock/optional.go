package keyblock

import (
	"fmt"
	"strconv"
	"strings"

	"tallystick.example/internal/pure/mac"
)

// A Block is an optional block of a header (X9.143:2021, 6.3.6): an identifier
// of two characters and its data, printable ASCII.
type Block struct {
	ID   string
	Data string
}

// Identifiers of optional blocks that this package understands. Others are kept
// as they came.
const (
	IDKeySet    = "KS" // initial KSN of a TDES DUKPT key, hexadecimal
	IDInitial   = "IK" // initial key ID of an AES DUKPT key, hexadecimal
	IDCheckKey  = "KC" // check value of the wrapped key
	IDCheckKBPK = "KP" // check value of the KBPK
	IDPadding   = "PB" // makes the header as long as cipher blocks are
)

// Check value methods in KC and KP blocks: the first two digits of their data.
const (
	methodLegacy = "00" // a zero block under the key
	methodCMAC   = "01" // the CMAC of a zero block
)

// InitialKSN is a KS block for the 10-byte initial KSN of a TDES DUKPT key.
func InitialKSN(ksn []byte) Block { return Block{IDKeySet, fmt.Sprintf("%X", ksn)} }

// InitialKeyID is an IK block for the 8-byte initial key ID of an AES DUKPT key.
func InitialKeyID(id []byte) Block { return Block{IDInitial, fmt.Sprintf("%X", id)} }

// CheckValue is a KC block (id [IDCheckKey]) or KP block ([IDCheckKBPK]) with
// the check value of a key: 3 bytes by the zero block for TDES, 5 bytes by CMAC
// for AES. Algorithms other than 'T' and 'A' have none, and give ErrKey.
func CheckValue(id string, algorithm byte, key []byte) (Block, error) {
	method, kcv, err := checkValue(algorithm, key)
	if err != nil {
		return Block{}, err
	}
	return Block{id, method + fmt.Sprintf("%X", kcv)}, nil
}

func checkValue(algorithm byte, key []byte) (method string, kcv []byte, err error) {
	switch algorithm {
	case 'T':
		method = methodLegacy
		kcv, err = mac.KCV(mac.DESZero, key, mac.KCVLengthTDES)
	case 'A':
		method = methodCMAC
		kcv, err = mac.KCV(mac.AESCMAC, key, mac.KCVLengthAES)
	default:
		return "", nil, fmt.Errorf("%w: no check value for the algorithm", ErrKey)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return method, kcv, nil
}

// Find is the data of the first optional block with this identifier.
func (h Header) Find(id string) (data string, found bool) {
	for _, b := range h.Optional {
		if b.ID == id {
			return b.Data, true
		}
	}
	return "", false
}

// check returns an error unless the block is well formed; the data of those
// that this package understands are looked at too.
func (b Block) check() error {
	if len(b.ID) != 2 || !isUpper(b.ID) {
		return fmt.Errorf("%w: identifier of an optional block", ErrFormat)
	}
	ok := isPrintable(b.Data)
	switch b.ID {
	case IDKeySet:
		ok = isHex(b.Data) && len(b.Data)%2 == 0 && len(b.Data) > 0
	case IDInitial:
		ok = isHex(b.Data) && len(b.Data) == 16
	case IDCheckKey, IDCheckKBPK:
		ok = isHex(b.Data) && len(b.Data)%2 == 0 && len(b.Data) >= 4 &&
			(strings.HasPrefix(b.Data, methodLegacy) || strings.HasPrefix(b.Data, methodCMAC))
	}
	if !ok {
		return fmt.Errorf("%w: data of optional block %s", ErrFormat, b.ID)
	}
	return nil
}

// text is the block as it stands in a header. Up to 255 characters it has a
// length of two hexadecimal digits; longer ones have 00, then 04, then four
// digits (X9.143:2021, 6.3.6).
func (b Block) text() string {
	if n := len(b.Data) + 4; n <= 0xFF {
		return fmt.Sprintf("%s%02X%s", b.ID, n, b.Data)
	}
	return fmt.Sprintf("%s0004%04X%s", b.ID, len(b.Data)+10, b.Data)
}

// cutBlock takes one optional block from the front of text.
func cutBlock(text string) (b Block, rest string, err error) {
	if len(text) < 4 {
		return b, "", fmt.Errorf("%w: optional block is cut", ErrFormat)
	}
	b.ID = text[:2]
	start := 4
	length, err := hexNumber(text[2:4])
	if err != nil {
		return b, "", err
	}
	if length == 0 {
		// 04 counts digits, as the example of X9.143:2021, 8.5 has it; some
		// systems write 02 and count bytes. Both mean four digits.
		if len(text) < 10 || text[4:6] != "04" && text[4:6] != "02" {
			return b, "", fmt.Errorf("%w: length of an optional block", ErrFormat)
		}
		start = 10
		if length, err = hexNumber(text[6:10]); err != nil {
			return b, "", err
		}
	}
	if length < start || length > len(text) {
		return b, "", fmt.Errorf("%w: length of an optional block", ErrFormat)
	}
	b.Data = text[start:length]
	return b, text[length:], b.check()
}

func hexNumber(s string) (int, error) {
	if !isHex(s) {
		return 0, fmt.Errorf("%w: length of an optional block", ErrFormat)
	}
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: length of an optional block", ErrFormat)
	}
	return int(n), nil
}

// isHex reports whether s has only upper-case hexadecimal digits.
func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// isUpper reports whether s has only digits and upper-case letters.
func isUpper(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// isPrintable reports whether s has only printable ASCII characters.
func isPrintable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
