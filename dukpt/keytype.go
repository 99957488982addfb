package dukpt

import "fmt"

// KeyType is an algorithm with a key length, as AES DUKPT derives keys for
// (X9.24-3:2017, 6.3.3).
type KeyType uint8

// The key types.
const (
	TDES2   KeyType = iota + 1 // two-key TDES, 16 bytes: the only type of TDES DUKPT
	TDES3                      // three-key TDES, 24 bytes
	AES128                     // 16 bytes
	AES192                     // 24 bytes
	AES256                     // 32 bytes
	HMAC128                    // HMAC with a key of 16 bytes
	HMAC192                    // HMAC with a key of 24 bytes
	HMAC256                    // HMAC with a key of 32 bytes
)

// keyTypes has the facts of each type, by its number.
var keyTypes = [...]struct {
	name      string
	algorithm uint16 // algorithm indicator in the derivation data
	length    int    // in bytes
}{
	TDES2: {"tdes2", 0, 16}, TDES3: {"tdes3", 1, 24},
	AES128: {"aes128", 2, 16}, AES192: {"aes192", 3, 24}, AES256: {"aes256", 4, 32},
	HMAC128: {"hmac128", 5, 16}, HMAC192: {"hmac192", 5, 24}, HMAC256: {"hmac256", 5, 32},
}

func (t KeyType) known() bool { return t >= TDES2 && t <= HMAC256 }

// Len is the length of a key in bytes, 0 for an unknown type.
func (t KeyType) Len() int {
	if !t.known() {
		return 0
	}
	return keyTypes[t].length
}

// String is the name: "tdes2", "tdes3", "aes128", …, "hmac256".
func (t KeyType) String() string {
	if !t.known() {
		return fmt.Sprintf("keytype(%d)", uint8(t))
	}
	return keyTypes[t].name
}

// ParseKeyType reads what String writes; anything else gives ErrKeyType.
func ParseKeyType(name string) (KeyType, error) {
	for t := TDES2; t.known(); t++ {
		if keyTypes[t].name == name {
			return t, nil
		}
	}
	return 0, ErrKeyType
}

func (t KeyType) isTDES() bool { return t == TDES2 || t == TDES3 }
func (t KeyType) isAES() bool  { return t >= AES128 && t <= AES256 }
func (t KeyType) isHMAC() bool { return t >= HMAC128 && t <= HMAC256 }

// derivationType is the type of the keys from which AES DUKPT derives, by their
// length.
func derivationType(length int) (KeyType, error) {
	for t := AES128; t <= AES256; t++ {
		if t.Len() == length {
			return t, nil
		}
	}
	return 0, ErrKeyLength
}

// Usage is what a working key is for (X9.24-3:2017, 6.3.3). TDES DUKPT has the
// usages of one direction each: MACGeneration and DataEncryption stand for the
// request keys, MACVerification and DataDecryption for the response keys.
type Usage uint16

// The usages, with their indicators in the derivation data.
const (
	KeyEncryption   Usage = 0x0002
	PINEncryption   Usage = 0x1000
	MACGeneration   Usage = 0x2000 // messages of the terminal
	MACVerification Usage = 0x2001 // messages to the terminal
	MACBoth         Usage = 0x2002
	DataEncryption  Usage = 0x3000 // data of the terminal
	DataDecryption  Usage = 0x3001 // data to the terminal
	DataBoth        Usage = 0x3002

	usageDerivation Usage = 0x8000 // a key from which keys are derived
	usageInitial    Usage = 0x8001 // the initial key
)

var usageNames = map[Usage]string{
	KeyEncryption: "key_encryption", PINEncryption: "pin_encryption",
	MACGeneration: "mac_generation", MACVerification: "mac_verification", MACBoth: "mac_both",
	DataEncryption: "data_encryption", DataDecryption: "data_decryption", DataBoth: "data_both",
}

// String is the name: "pin_encryption", "mac_generation", ….
func (u Usage) String() string {
	if n, ok := usageNames[u]; ok {
		return n
	}
	return fmt.Sprintf("usage(%04X)", uint16(u))
}

// ParseUsage reads what String writes; anything else gives ErrUsage.
func ParseUsage(name string) (Usage, error) {
	for u, n := range usageNames {
		if n == name {
			return u, nil
		}
	}
	return 0, ErrUsage
}

// fits reports whether a key of type t may have usage u: an HMAC key makes codes
// and nothing else.
func (u Usage) fits(t KeyType) bool {
	_, known := usageNames[u]
	mac := u == MACGeneration || u == MACVerification || u == MACBoth
	return known && (mac || !t.isHMAC())
}

// Direction is which way a message goes.
type Direction uint8

// The directions.
const (
	Request  Direction = 1 // from the terminal to the host
	Response Direction = 2 // from the host to the terminal
)

// macUsage is the usage of the MAC key of a direction.
func (d Direction) macUsage() (Usage, error) {
	switch d {
	case Request:
		return MACGeneration, nil
	case Response:
		return MACVerification, nil
	}
	return 0, ErrDirection
}

// dataUsage is the usage of the data key of a direction.
func (d Direction) dataUsage() (Usage, error) {
	switch d {
	case Request:
		return DataEncryption, nil
	case Response:
		return DataDecryption, nil
	}
	return 0, ErrDirection
}
