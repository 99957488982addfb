package pinblock

import (
	"fmt"
	"io"
)

// maxDraws bounds how often the fill of format 3 is drawn again. One draw of a
// byte fails with 1 in 64, so more than a few means a broken source.
const maxDraws = 32

// fill writes the half bytes of a block from n to its end.
func fill(f Format, block []byte, n int, random io.Reader) error {
	switch f {
	case ISO0, ISO2:
		for ; n < 16; n++ {
			setNibble(block, n, 0xF)
		}
	case ISO1:
		for ; n < 16; n++ {
			v, err := draw(random, 16)
			if err != nil {
				return err
			}
			setNibble(block, n, v)
		}
	case ISO3:
		for ; n < 16; n++ {
			v, err := draw(random, 6)
			if err != nil {
				return err
			}
			setNibble(block, n, 0xA+v)
		}
	case ISO4:
		for ; n < 16; n++ {
			setNibble(block, n, 0xA)
		}
		return readRandom(random, block[8:])
	}
	return nil
}

// draw returns an even choice from 0 to n-1. Bytes beyond the highest multiple
// of n would favour small values and are drawn again.
func draw(random io.Reader, n int) (byte, error) {
	limit := 256 - 256%n
	var b [1]byte
	for range maxDraws {
		if err := readRandom(random, b[:]); err != nil {
			return 0, err
		}
		if int(b[0]) < limit {
			return b[0] % byte(n), nil
		}
	}
	return 0, fmt.Errorf("%w: the source repeats itself", ErrRandom)
}

func readRandom(random io.Reader, b []byte) error {
	if random == nil {
		return fmt.Errorf("%w: no source", ErrRandom)
	}
	if _, err := io.ReadFull(random, b); err != nil {
		return fmt.Errorf("%w: %w", ErrRandom, err)
	}
	return nil
}

// filled reports whether the half bytes from n to the end are what the format
// asks for. The random ones of formats 1 and 4 can be anything.
func filled(f Format, block []byte, n int) bool {
	ok := true
	for ; n < 16; n++ {
		v := nibble(block, n)
		switch f {
		case ISO0, ISO2:
			ok = ok && v == 0xF
		case ISO3:
			ok = ok && v >= 0xA
		case ISO4:
			ok = ok && v == 0xA
		}
	}
	return ok
}
