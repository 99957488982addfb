package keyblock

import (
	"fmt"
	"strings"
)

// rule is which algorithms and modes of use a usage allows.
type rule struct{ algorithms, modes string }

// rules is the table of X9.143:2021, 6.3.1 to 6.3.3, for the symmetric keys of
// payments.
var rules = map[string]rule{
	"B0": {"AT", "X"},   // base derivation key
	"B1": {"AT", "X"},   // initial DUKPT key
	"B2": {"AT", "X"},   // base key variant
	"B3": {"AT", "X"},   // derivation key outside of DUKPT
	"C0": {"AT", "CGV"}, // card verification
	"D0": {"AT", "BDE"}, // data encryption
	"E0": {"AT", "X"},   // issuer master keys: cryptograms,
	"E1": {"AT", "X"},   // secure messaging for confidentiality,
	"E2": {"AT", "X"},   // and for integrity,
	"E3": {"AT", "X"},   // data authentication code,
	"E4": {"AT", "X"},   // dynamic numbers,
	"E5": {"AT", "X"},   // card personalization,
	"E6": {"AT", "X"},   // and others
	"I0": {"AT", "N"},   // initialization vector, which is no key
	"K0": {"AT", "BDE"},
	"K1": {"AT", "BDE"}, // key block protection key
	"K4": {"AT", "BDE"},
	"M0": {"T", "CGV"}, // ISO 16609
	"M1": {"T", "CGV"}, // ISO 9797-1 algorithms 1 to 5
	"M2": {"T", "CGV"},
	"M3": {"T", "CGV"},
	"M4": {"T", "CGV"},
	"M5": {"T", "CGV"},
	"M6": {"AT", "CGV"}, // CMAC
	"M7": {"H", "CGV"},  // HMAC
	"M8": {"AT", "CGV"}, // ISO 9797-1:2011 algorithm 6
	"P0": {"AT", "BDE"}, // PIN encryption
	"P1": {"AT", "BDE"},
	"V0": {"AT", "CGV"}, // PIN verification
	"V1": {"AT", "CGV"}, // IBM 3624
	"V2": {"AT", "CGV"}, // Visa PVV
	"V3": {"AT", "CGV"},
	"V4": {"AT", "CGV"},
	"V5": {"AT", "CGV"},
}

// Check returns ErrPolicy unless the key of n bytes that the header describes is
// one that the standard has: a known usage, an algorithm and a mode of use that
// go with it, and no AES key under a TDES one. Mode N, no restriction, is not accepted: a key has one purpose (PCI
// PIN 19). Malformed fields give ErrFormat, a length that the algorithm does not
// have ErrKey.
func (h Header) Check(n int) error {
	if h.Context == 0 {
		h.Context = '0'
	}
	if err := h.checkCharacters(); err != nil {
		return err
	}
	r, known := rules[h.Usage]
	if !known || !strings.ContainsRune(r.algorithms, rune(h.Algorithm)) || !strings.ContainsRune(r.modes, rune(h.Mode)) {
		return fmt.Errorf("%w: usage %s, algorithm %c, mode %c", ErrPolicy, h.Usage, h.Algorithm, h.Mode)
	}
	if h.Algorithm == 'A' && h.Version != 0 && !versions[h.Version].aes {
		return fmt.Errorf("%w: an AES key in a block under TDES", ErrPolicy)
	}
	if !keyLengthFits(h.Algorithm, n) {
		return fmt.Errorf("%w: length for the algorithm", ErrKey)
	}
	return nil
}
