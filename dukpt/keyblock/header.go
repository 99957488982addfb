package keyblock

import (
	"encoding/hex"
	"fmt"
	"strings"

	"tallystick.example/internal/pure/bcd"
)

// parsed is a block taken apart.
type parsed struct {
	Header
	version
	header string // header text with optional blocks, which the MAC covers
	data   []byte // enciphered length, key and padding
	mac    []byte
}

// Parse reads the header of a block. The whole block must be well formed, or it
// gives ErrFormat or ErrVersion, but nothing is authentic yet.
func Parse(block string) (Header, error) {
	p, err := parse(block)
	return p.Header, err
}

// parse takes a block apart, strictly: every character is one that the standard
// allows at its place, and lengths fit each other.
func parse(block string) (parsed, error) {
	var p parsed
	if len(block) < headerLength || len(block) > MaxLength {
		return p, fmt.Errorf("%w: %d characters", ErrFormat, len(block))
	}
	v, ok := versions[block[0]]
	if !ok {
		return p, ErrVersion
	}
	p.version = v
	if !bcd.IsDigits(block[1:5]) || decimal(block[1:5]) != len(block) {
		return p, fmt.Errorf("%w: length field", ErrFormat)
	}
	p.Header = Header{
		Version: block[0], Usage: block[5:7], Algorithm: block[7], Mode: block[8],
		KeyVersion: block[9:11], Exportability: block[11], Context: block[14],
	}
	if err := p.Header.checkCharacters(); err != nil {
		return p, err
	}
	if !bcd.IsDigits(block[12:14]) || block[15] != '0' {
		return p, fmt.Errorf("%w: number of optional blocks or reserved field", ErrFormat)
	}
	rest := block[headerLength:]
	for range decimal(block[12:14]) {
		b, after, err := cutBlock(rest)
		if err != nil {
			return p, err
		}
		p.Optional, rest = append(p.Optional, b), after
	}
	if err := checkOptional(p.Optional); err != nil {
		return p, err
	}
	p.header = block[:len(block)-len(rest)]
	return p, p.cutData(rest)
}

// cutData splits what follows the header.
func (p *parsed) cutData(text string) error {
	// Counter mode needs no padding, yet the header is still even.
	if len(p.header)%max(p.block, 2) != 0 {
		return fmt.Errorf("%w: the header is not whole cipher blocks", ErrFormat)
	}
	if !isHex(text) || len(text)%2 != 0 {
		return fmt.Errorf("%w: key data are not upper-case hexadecimal", ErrFormat)
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		return fmt.Errorf("%w: key data", ErrFormat)
	}
	n := len(data) - p.version.mac
	if n < max(p.block, 3) || n%p.block != 0 {
		return fmt.Errorf("%w: length of the key data", ErrFormat)
	}
	p.data, p.mac = data[:n], data[n:]
	return nil
}

// checkCharacters returns ErrFormat unless every field of the fixed header has
// characters that the standard has for it.
func (h Header) checkCharacters() error {
	component := len(h.KeyVersion) == 2 && h.KeyVersion[0] == 'c' && isUpper(h.KeyVersion[1:])
	switch {
	case len(h.Usage) != 2 || !isUpper(h.Usage):
		return fmt.Errorf("%w: usage", ErrFormat)
	case !isUpper(string(rune(h.Algorithm))):
		return fmt.Errorf("%w: algorithm", ErrFormat)
	case !isUpper(string(rune(h.Mode))):
		return fmt.Errorf("%w: mode of use", ErrFormat)
	case len(h.KeyVersion) != 2 || !isUpper(h.KeyVersion) && !component:
		return fmt.Errorf("%w: key version", ErrFormat)
	case !strings.ContainsRune("ENS", rune(h.Exportability)):
		return fmt.Errorf("%w: exportability", ErrFormat)
	case !strings.ContainsRune("012", rune(h.Context)):
		return fmt.Errorf("%w: key context", ErrFormat)
	}
	return nil
}

// checkOptional refuses an identifier that comes twice and padding that is not
// last (X9.143:2021, 6.3.6).
func checkOptional(blocks []Block) error {
	seen := make(map[string]bool, len(blocks))
	for i, b := range blocks {
		if seen[b.ID] || b.ID == IDPadding && i != len(blocks)-1 {
			return fmt.Errorf("%w: order of optional blocks", ErrFormat)
		}
		seen[b.ID] = true
	}
	return nil
}

// decimal is the value of a few digits.
func decimal(digits string) int {
	n := 0
	for _, d := range []byte(digits) {
		n = n*10 + int(d-'0')
	}
	return n
}
