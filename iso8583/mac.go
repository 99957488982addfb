package iso8583

// MACSize is the length of DE 64 and DE 128 in bytes.
const MACSize = 8

// PackForMAC packs m with its MAC element present and zero: DE 128 when m has an
// element above 64, else DE 64. The last [MACSize] bytes are the MAC's place, what
// is before them is what the MAC is computed over. m is not changed.
func PackForMAC(m *Message) ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	c := m.wire.Clone()
	c.Clear(64)
	c.Clear(128)
	de := 64
	if c.Present()[1] != 0 {
		de = 128
	}
	c.SetBytes(de, make([]byte, MACSize))
	return c.AppendTo(nil)
}

// SealMAC packs m with its MAC. mac computes it over what it is given: the
// message from the MTI to the last byte before the MAC, the bit of the MAC set
// in the bitmap, without length header and TPDU. For AES key sets the MAC is the
// left half of a CMAC (NIST SP 800-38B), for TDES ones ISO 9797-1 algorithm 3
// with padding 1. The error is that of [Pack] or of mac.
func SealMAC(m *Message, mac func(input []byte) ([MACSize]byte, error)) ([]byte, error) {
	b, err := PackForMAC(m)
	if err != nil {
		return nil, err
	}
	end := len(b) - MACSize
	sum, err := mac(b[:end:end])
	if err != nil {
		return nil, err
	}
	copy(b[end:], sum[:])
	return b, nil
}

// MACInput splits a packed message into what its MAC is computed over and the
// MAC. Both are parts of raw, not copies. It looks at the bitmaps and the length
// only: the caller has unpacked raw before or will. The error is [ErrNoMAC], or
// a *FieldError when the bitmaps cannot be read.
func MACInput(raw []byte) (input, mac []byte, err error) {
	bm, off, err := native.Bitmaps(raw)
	if err != nil {
		return nil, nil, err
	}
	last := bm[0]
	if bm[1] != 0 {
		last = bm[1]
	}
	end := len(raw) - MACSize
	if last&1 == 0 || end < off {
		return nil, nil, ErrNoMAC
	}
	return raw[:end:end], raw[end:], nil
}
