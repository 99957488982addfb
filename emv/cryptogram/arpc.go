package cryptogram

import (
	"crypto/subtle"
	"fmt"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// Sizes of the issuer's answer (EMV Book 2, 8.2).
const (
	arcSize        = 2
	csuSize        = 4
	arpc2Size      = 4
	maxProprietary = 8
)

// ARPC1 is the issuer's cryptogram of method 1 (EMV Book 2, 8.2.1): 8 bytes
// over the card's cryptogram and the 2-byte authorisation response code arc.
// key is the session key, or the card key where the profile says so.
func ARPC1(key secret.Secret, ac AC, arc []byte) ([]byte, error) {
	if len(arc) != arcSize {
		return nil, fmt.Errorf("%w: the authorisation response code has %d bytes, want %d", ErrInput, len(arc), arcSize)
	}
	c, err := newTDES(key)
	if err != nil {
		return nil, err
	}
	y := ac
	y[0] ^= arc[0]
	y[1] ^= arc[1]
	out := make([]byte, blockSize)
	c.Encrypt(out, y[:])
	return out, nil
}

// ARPC2 is the issuer's cryptogram of method 2 (EMV Book 2, 8.2.2): 4 bytes over
// the card's cryptogram, the 4-byte card status update csu and 0 to 8 bytes of
// proprietary data.
func ARPC2(key secret.Secret, ac AC, csu, proprietary []byte) ([]byte, error) {
	if len(csu) != csuSize || len(proprietary) > maxProprietary {
		return nil, fmt.Errorf("%w: card status update of %d and proprietary data of %d bytes", ErrInput, len(csu), len(proprietary))
	}
	data := append(append(append(make([]byte, 0, 32), ac[:]...), csu...), proprietary...)
	sum, err := retailMAC(key, data, mac.Padding2)
	if err != nil {
		return nil, err
	}
	return sum[:arpc2Size], nil
}

// IssuerAuth is what the value of tag 91 (issuer authentication data) says
// beside its cryptogram.
type IssuerAuth struct {
	Method      int    // 1 or 2
	ARC         []byte // method 1: 2 bytes
	CSU         []byte // method 2: 4 bytes
	Proprietary []byte // method 2: 0 to 8 bytes
}

// Data is the value of tag 91 for the card's cryptogram ac: the ARPC followed by
// what it covers.
func (a IssuerAuth) Data(key secret.Secret, ac AC) ([]byte, error) {
	switch a.Method {
	case 1:
		arpc, err := ARPC1(key, ac, a.ARC)
		if err != nil {
			return nil, err
		}
		return append(arpc, a.ARC...), nil
	case 2:
		arpc, err := ARPC2(key, ac, a.CSU, a.Proprietary)
		if err != nil {
			return nil, err
		}
		return append(append(arpc[:arpc2Size:arpc2Size], a.CSU...), a.Proprietary...), nil
	default:
		return nil, fmt.Errorf("%w: ARPC method %d", ErrProfile, a.Method)
	}
}

// VerifyIssuerAuth checks the value of tag 91 as a card does and says what it
// held. A wrong cryptogram gives ErrMismatch, a wrong length ErrInput.
func VerifyIssuerAuth(key secret.Secret, ac AC, method int, data []byte) (IssuerAuth, error) {
	a := IssuerAuth{Method: method}
	switch {
	case method == 1 && len(data) == blockSize+arcSize:
		a.ARC = data[blockSize:]
	case method == 2 && len(data) >= arpc2Size+csuSize && len(data) <= arpc2Size+csuSize+maxProprietary:
		a.CSU, a.Proprietary = data[arpc2Size:arpc2Size+csuSize], data[arpc2Size+csuSize:]
	default:
		return IssuerAuth{}, fmt.Errorf("%w: issuer authentication data of %d bytes for method %d", ErrInput, len(data), method)
	}
	want, err := a.Data(key, ac)
	if err != nil {
		return IssuerAuth{}, err
	}
	if subtle.ConstantTimeCompare(want, data) != 1 {
		return IssuerAuth{}, ErrMismatch
	}
	return a, nil
}
