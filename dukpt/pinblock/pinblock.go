// Package pinblock encodes PINs into the blocks of ISO 9564-1:2017, enciphers
// them, and takes them apart again, strictly.
//
// Terminals call [Encipher], issuers [Decipher], switches [Translate]; [Encode]
// makes the clear block of format 2 for the card. PINs and PANs are digits in
// ASCII. Nothing is kept or changed of the caller's memory, and nothing here may
// be printed: the caller clears PINs and clear blocks after use.
//
// The package is pure: randomness is an argument, there is no I/O. All functions
// are safe for many goroutines.
package pinblock

import (
	"errors"
	"fmt"
	"io"

	"tallystick.example/internal/pure/bcd"
)

// Format is a PIN block format of ISO 9564-1.
type Format int

// The formats.
const (
	ISO0 Format = 0 // 8 bytes, masked with the PAN
	ISO1 Format = 1 // 8 bytes, random fill, where no PAN is known
	ISO2 Format = 2 // 8 bytes in clear, towards the card only
	ISO3 Format = 3 // 8 bytes, random fill, masked with the PAN
	ISO4 Format = 4 // 16 bytes, random fill, bound to the PAN by two AES encipherments
)

// Limits of ISO 9564-1 and ISO/IEC 7812-1 in digits.
const (
	MinPIN = 4
	MaxPIN = 12
	MaxPAN = 19
)

// Errors of this package. Their texts carry no digits.
var (
	// ErrFormat means a format that is unknown or not for this purpose.
	ErrFormat = errors.New("pinblock: format not allowed here")
	// ErrPIN means a PIN that is not 4 to 12 decimal digits.
	ErrPIN = errors.New("pinblock: a PIN has 4 to 12 digits")
	// ErrPAN means a PAN that is not decimal digits of a usable number.
	ErrPAN = errors.New("pinblock: malformed PAN")
	// ErrBlock means a block that holds no PIN of the format and PAN. It does not
	// tell what is wrong: whoever may try blocks would learn from it.
	ErrBlock = errors.New("pinblock: not a PIN block of this format and PAN")
	// ErrKey means a key of a length that the format cannot use.
	ErrKey = errors.New("pinblock: wrong key length for the format")
	// ErrRandom means that the source of randomness failed.
	ErrRandom = errors.New("pinblock: no randomness")
)

// Size is the length of a block in bytes: 16 for format 4, 8 for the others, 0
// for an unknown format.
func (f Format) Size() int {
	switch f {
	case ISO0, ISO1, ISO2, ISO3:
		return 8
	case ISO4:
		return 16
	}
	return 0
}

// String is "ISO-0" to "ISO-4", or "format(n)".
func (f Format) String() string {
	if f.Size() == 0 {
		return fmt.Sprintf("format(%d)", int(f))
	}
	return fmt.Sprintf("ISO-%d", int(f))
}

// usesPAN reports whether the PAN enters the clear block of 8 bytes.
func (f Format) usesPAN() bool { return f == ISO0 || f == ISO3 }

// Encode makes the clear block of pin: 8 bytes, or for format 4 the 16-byte PIN
// field before its encipherment (ISO 9564-1:2017, 9.3 and 9.4).
//
// Formats 0 and 3 mask the PIN with pan; the others ignore pan. Formats 1, 3
// and 4 fill with bytes from random. Errors are ErrFormat, ErrPIN, ErrPAN and
// ErrRandom. The caller clears the result.
func Encode(f Format, pin, pan []byte, random io.Reader) ([]byte, error) {
	size := f.Size()
	if size == 0 {
		return nil, ErrFormat
	}
	if len(pin) < MinPIN || len(pin) > MaxPIN || !bcd.IsDigits(pin) {
		return nil, ErrPIN
	}
	block := make([]byte, size)
	block[0] = byte(f)<<4 | byte(len(pin))
	for i, d := range pin {
		setNibble(block, 2+i, d-'0')
	}
	if err := fill(f, block, 2+len(pin), random); err != nil {
		clear(block)
		return nil, err
	}
	if f.usesPAN() {
		if err := mask(block, pan); err != nil {
			clear(block)
			return nil, err
		}
	}
	return block, nil
}

// Decode takes the PIN out of a clear block as Encode makes it. Everything that
// the format fixes is checked: control digit, length, digits and fill. A block
// that breaks any of it gives ErrBlock. The caller clears the result, and block.
func Decode(f Format, block, pan []byte) ([]byte, error) {
	if f.Size() == 0 {
		return nil, ErrFormat
	}
	if len(block) != f.Size() {
		return nil, ErrBlock
	}
	clean := append([]byte(nil), block...)
	defer clear(clean)
	if f.usesPAN() {
		if err := mask(clean, pan); err != nil {
			return nil, err
		}
	}
	length := int(clean[0] & 15)
	if clean[0]>>4 != byte(f) || length < MinPIN || length > MaxPIN {
		return nil, ErrBlock
	}
	pin := make([]byte, length)
	ok := true
	for i := range pin {
		d := nibble(clean, 2+i)
		ok = ok && d <= 9
		pin[i] = '0' + d
	}
	if !ok || !filled(f, clean, 2+length) {
		clear(pin)
		return nil, ErrBlock
	}
	return pin, nil
}

// mask combines block with the PAN field of formats 0 and 3: four zero digits
// and the twelve rightmost digits of the PAN without its check digit, zeros in
// front of shorter ones.
func mask(block, pan []byte) error {
	if len(pan) < 2 || len(pan) > MaxPAN || !bcd.IsDigits(pan) {
		return ErrPAN
	}
	for n, i := 15, len(pan)-2; n >= 4 && i >= 0; n, i = n-1, i-1 {
		setNibble(block, n, nibble(block, n)^(pan[i]-'0'))
	}
	return nil
}

// nibble is half byte n of b, counted from the left.
func nibble(b []byte, n int) byte {
	if n%2 == 0 {
		return b[n/2] >> 4
	}
	return b[n/2] & 15
}

func setNibble(b []byte, n int, v byte) {
	if n%2 == 0 {
		b[n/2] = b[n/2]&15 | v<<4
	} else {
		b[n/2] = b[n/2]&0xF0 | v
	}
}
