package dukpt

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// Scheme is a variant of DUKPT.
type Scheme uint8

// The schemes.
const (
	TDES Scheme = 1 // ANSI X9.24-1:2009: 10-byte KSN with 21 counter bits
	AES  Scheme = 2 // ANSI X9.24-3:2017: 12-byte KSN with 32 counter bits
)

// String is "tdes", "aes" or "scheme(n)".
func (s Scheme) String() string {
	switch s {
	case TDES:
		return "tdes"
	case AES:
		return "aes"
	}
	return fmt.Sprintf("scheme(%d)", uint8(s))
}

// counterBits is the width of the transaction counter, which is also the number
// of future key registers.
func (s Scheme) counterBits() int {
	if s == TDES {
		return 21
	}
	return 32
}

// maxOnes is how many one bits a usable counter may have, and so how many
// derivations lie between the initial key and any transaction key (X9.24-1:2009
// A.2, X9.24-3:2017 6.6).
func (s Scheme) maxOnes() int {
	if s == TDES {
		return 10
	}
	return 16
}

// ksnLength is the length of a KSN in bytes.
func (s Scheme) ksnLength() int {
	if s == TDES {
		return 10
	}
	return 12
}

// A KSN is a key serial number: who made the key, which terminal has it, and the
// number of the transaction. It is no secret. KSNs are values that can be
// compared with == and used as map keys; the zero KSN belongs to no scheme.
type KSN struct {
	scheme Scheme
	b      [12]byte // the first ksnLength bytes are used
}

// ParseKSN reads a KSN: 12 bytes for AES, 10 bytes for TDES or the 8 rightmost
// of them, which stand for a KSN with FFFF in front (X9.24-1:2009, 7.1.1: leading
// F may be left out). Other lengths and schemes give ErrKSN. The counter may
// have any value; [KSN.Check] tells whether a terminal can have used it.
func ParseKSN(s Scheme, b []byte) (KSN, error) {
	k := KSN{scheme: s}
	switch {
	case s == TDES && len(b) == 8:
		k.b[0], k.b[1] = 0xFF, 0xFF
		copy(k.b[2:], b)
	case (s == TDES || s == AES) && len(b) == s.ksnLength():
		copy(k.b[:], b)
	default:
		return KSN{}, fmt.Errorf("%w: %d bytes for %s", ErrKSN, len(b), s)
	}
	return k, nil
}

// ParseID reads what [KSN.ID] gives, the name of an initial key, as the KSN with
// counter zero: 8 bytes for AES, 10 bytes with the counter bits zero for TDES.
// Else it gives ErrKSN.
func ParseID(s Scheme, id []byte) (KSN, error) {
	if s == AES {
		if len(id) != 8 {
			return KSN{}, fmt.Errorf("%w: an initial key ID of %d bytes", ErrKSN, len(id))
		}
		k := KSN{scheme: AES}
		copy(k.b[:], id)
		return k, nil
	}
	k, err := ParseKSN(s, id)
	if err == nil && (len(id) != 10 || k.Counter() != 0) {
		return KSN{}, fmt.Errorf("%w: not an initial KSN", ErrKSN)
	}
	return k, err
}

// Scheme is the scheme of k.
func (k KSN) Scheme() Scheme { return k.scheme }

// IsZero reports whether k is the zero value.
func (k KSN) IsZero() bool { return k == KSN{} }

// Bytes is a copy of the KSN: 10 bytes for TDES, 12 for AES.
func (k KSN) Bytes() []byte { return append([]byte(nil), k.bytes()...) }

func (k *KSN) bytes() []byte {
	if k.scheme == 0 {
		return nil
	}
	return k.b[:k.scheme.ksnLength()]
}

// String is the KSN in upper-case hexadecimal.
func (k KSN) String() string { return strings.ToUpper(fmt.Sprintf("%x", k.bytes())) }

// Counter is the number of the transaction: the 21 rightmost bits for TDES, 32
// for AES.
func (k KSN) Counter() uint32 {
	if k.scheme == TDES {
		return binary.BigEndian.Uint32(k.b[6:10]) & tdesCounterMask
	}
	return binary.BigEndian.Uint32(k.b[8:12])
}

const tdesCounterMask = 1<<21 - 1

// WithCounter is the KSN of transaction c of the same key. A counter that is
// wider than the scheme allows gives ErrCounter.
func (k KSN) WithCounter(c uint32) (KSN, error) {
	if bits.Len32(c) > k.scheme.counterBits() {
		return KSN{}, ErrCounter
	}
	return k.at(c), nil
}

func (k KSN) at(c uint32) KSN {
	if k.scheme == TDES {
		rest := binary.BigEndian.Uint32(k.b[6:10]) &^ tdesCounterMask
		binary.BigEndian.PutUint32(k.b[6:10], rest|c)
	} else {
		binary.BigEndian.PutUint32(k.b[8:12], c)
	}
	return k
}

// Initial is k with the counter zero: the number under which the initial key is
// known.
func (k KSN) Initial() KSN { return k.at(0) }

// ID names the initial key: the 8-byte initial key ID for AES (X9.24-3:2017,
// 6.1), the 10-byte initial KSN for TDES.
func (k KSN) ID() []byte {
	if k.scheme == AES {
		return append([]byte(nil), k.b[:8]...)
	}
	return k.Initial().Bytes()
}

// BDKID names the base derivation key: 4 bytes for AES; for TDES the 5-byte key
// set identifier, the usual division of the 59 bits before the counter.
func (k KSN) BDKID() []byte {
	if k.scheme == AES {
		return append([]byte(nil), k.b[:4]...)
	}
	return append([]byte(nil), k.b[:5]...)
}

// DeviceID tells terminals with one base derivation key apart: the 32-bit
// derivation ID for AES, the 19-bit number before the counter for TDES.
func (k KSN) DeviceID() uint32 {
	if k.scheme == AES {
		return binary.BigEndian.Uint32(k.b[4:8])
	}
	return binary.BigEndian.Uint32(k.b[4:8]) & 0xFFFFFF >> 5
}
