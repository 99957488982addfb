package cardcodes

// PVV computes the four-digit Visa PIN verification value from the 11 digits
// of pan left of its check digit, the key index pvki (0 to 9) and the first
// four digits of pin.
//
// pvk is 16 bytes; pin has 4 to 12 and pan 12 to 19 digits. Other inputs give
// ErrKey or ErrDigits.
func PVV(pvk []byte, pvki int, pin, pan []byte) ([]byte, error) {
	block, err := tdes(pvk)
	if err != nil {
		return nil, err
	}
	if pvki < 0 || pvki > 9 || !digits(pin, minPIN, maxPIN) || !digits(pan, 12, maxPAN) {
		return nil, ErrDigits
	}
	tsp := make([]byte, 0, 16)
	tsp = append(tsp, pan[len(pan)-12:len(pan)-1]...)
	tsp = append(tsp, byte('0'+pvki))
	tsp = append(tsp, pin[:4]...)
	defer clear(tsp)
	b := pack(tsp, 8)
	defer clear(b)
	block.Encrypt(b, b)
	return decimalize(b, 4), nil
}

// IBM3624 computes the natural PIN of the IBM 3624 algorithm, as many digits
// as pin has, and the offset that leads from it to pin: offset = pin − natural
// PIN, digit by digit modulo 10.
//
// pvk is 16 bytes, table the decimalization table of 16 digits, validation the
// 8 bytes that the issuer derives from the account, pin 4 to 12 digits. Other
// inputs give ErrKey or ErrDigits.
func IBM3624(pvk, table, validation, pin []byte) (natural, offset []byte, err error) {
	block, err := tdes(pvk)
	if err != nil {
		return nil, nil, err
	}
	if !digits(table, 16, 16) || len(validation) != 8 || !digits(pin, minPIN, maxPIN) {
		return nil, nil, ErrDigits
	}
	var b [8]byte
	block.Encrypt(b[:], validation)
	defer clear(b[:])
	natural = make([]byte, len(pin))
	offset = make([]byte, len(pin))
	for i, p := range pin {
		natural[i] = table[nibble(b[:], i)]
		offset[i] = '0' + (p-natural[i]+10)%10
	}
	return natural, offset, nil
}

// ValidationData is the validation data that this project derives from an
// account number for IBM 3624: its right-most 16 digits, filled with zeros on
// the left, as 8 bytes of BCD. pan has 8 to 19 digits, else ErrDigits.
func ValidationData(pan []byte) ([]byte, error) {
	if !digits(pan, minPAN, maxPAN) {
		return nil, ErrDigits
	}
	text := [16]byte{'0', '0', '0', '0', '0', '0', '0', '0'}
	defer clear(text[:])
	tail := pan[max(0, len(pan)-16):]
	copy(text[16-len(tail):], tail)
	return pack(text[:], 8), nil
}
