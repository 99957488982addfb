package core

import (
	"fmt"

	"tallystick.example/dukpt"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// Lengths of key serial numbers in bytes: they tell the scheme.
const (
	KSNLenTDES = 10 // X9.24-1:2009
	KSNLenAES  = 12 // X9.24-3:2017
)

// MACLen is the length of the MAC of a message in bytes.
const MACLen = 8

// SplitKSN divides the KSN of a transaction into the identity of its key set
// (10 bytes with the counter cleared for TDES, 8 for AES) and the counter. A
// length that no scheme has and a counter that no terminal uses give ErrInput.
func SplitKSN(ksn []byte) (id []byte, counter uint32, err error) {
	k, err := parseKSN(ksn)
	if err != nil {
		return nil, 0, err
	}
	return k.ID(), k.Counter(), nil
}

func parseKSN(ksn []byte) (dukpt.KSN, error) {
	scheme := dukpt.AES
	switch len(ksn) {
	case KSNLenAES:
	case KSNLenTDES:
		scheme = dukpt.TDES
	default:
		return dukpt.KSN{}, ErrInput
	}
	k, err := dukpt.ParseKSN(scheme, ksn)
	if err == nil {
		err = k.Check()
	}
	if err != nil {
		return dukpt.KSN{}, inputError("a key serial number", err)
	}
	return k, nil
}

// algorithmOf is the letter of the keys of a scheme.
func algorithmOf(s dukpt.Scheme) string {
	if s == dukpt.AES {
		return "A"
	}
	return "T"
}

// A Transaction derives the working keys of one DUKPT transaction: two-key TDES
// ones for TDES, AES-128 ones for AES. The caller wipes it. It may be used by
// many goroutines.
type Transaction struct {
	ksn dukpt.KSN
	key secret.Secret
}

// NewTransaction derives the transaction ksn under a base derivation key of
// usage B0 and of the scheme of the KSN; another key gives ErrUse.
func NewTransaction(bdk Key, ksn []byte) (Transaction, error) {
	k, err := parseKSN(ksn)
	if err != nil {
		return Transaction{}, err
	}
	if err := bdk.allow(modesDerive, "B0"); err != nil {
		return Transaction{}, err
	}
	if bdk.Algorithm != algorithmOf(k.Scheme()) {
		return Transaction{}, ErrUse
	}
	base, err := dukpt.NewBase(k.Scheme(), bdk.value.Expose())
	if err != nil {
		return Transaction{}, fmt.Errorf("core: preparing a base key: %w", err)
	}
	key, err := base.TransactionKey(k)
	if err != nil {
		return Transaction{}, fmt.Errorf("core: deriving a transaction key: %w", err)
	}
	return Transaction{ksn: k, key: secret.Take(key)}, nil
}

// InitialKey derives the initial key of the terminal that id names (as SplitKSN
// returns it) under a base derivation key of usage B0. The result has usage B1
// and mode X.
func InitialKey(bdk Key, id []byte) (Key, error) {
	if err := bdk.allow(modesDerive, "B0"); err != nil {
		return Key{}, err
	}
	scheme, ksn := dukpt.TDES, id
	if len(id) == 8 {
		scheme, ksn = dukpt.AES, append(append([]byte(nil), id...), 0, 0, 0, 0)
	} else if len(id) != KSNLenTDES {
		return Key{}, ErrInput
	}
	k, err := dukpt.ParseKSN(scheme, ksn)
	if err != nil || k.Counter() != 0 {
		return Key{}, ErrInput
	}
	if bdk.Algorithm != algorithmOf(scheme) {
		return Key{}, ErrUse
	}
	ik, err := dukpt.InitialKey(bdk.value.Expose(), k)
	if err != nil {
		return Key{}, fmt.Errorf("core: deriving an initial key: %w", err)
	}
	return NewKey(Attributes{Usage: "B1", Algorithm: bdk.Algorithm, Mode: "X"}, secret.Take(ik))
}

// Wipe clears the transaction key.
func (t Transaction) Wipe() { t.key.Wipe() }

func (t Transaction) aes() bool { return t.ksn.Scheme() == dukpt.AES }

// working derives a working key.
func (t Transaction) working(u dukpt.Usage) (secret.Secret, error) {
	kind := dukpt.TDES2
	if t.aes() {
		kind = dukpt.AES128
	}
	k, err := dukpt.WorkingKey(t.key.Expose(), t.ksn, kind, u)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("core: deriving a working key: %w", err)
	}
	return secret.Take(k), nil
}

// VerifyMAC reports whether code is the MAC that the terminal made over input.
func (t Transaction) VerifyMAC(input, code []byte) (bool, error) {
	k, err := t.working(dukpt.MACGeneration)
	if err != nil {
		return false, err
	}
	defer k.Wipe()
	want, err := MACKey{k, t.aes()}.Sum(input)
	if err != nil {
		return false, err
	}
	return len(code) == MACLen && mac.Verify(want[:], code), nil
}

// AnswerMACKey is the key of the MAC of the answer. The caller wipes it.
func (t Transaction) AnswerMACKey() (MACKey, error) {
	k, err := t.working(dukpt.MACVerification)
	return MACKey{k, t.aes()}, err
}

// A MACKey makes MACs of messages.
type MACKey struct {
	key secret.Secret
	aes bool
}

// Wipe clears the key.
func (k MACKey) Wipe() { k.key.Wipe() }

// Sum is the eight-byte MAC over input: the left half of an AES CMAC (NIST SP
// 800-38B), or ISO/IEC 9797-1 algorithm 3 with padding 1 for TDES.
func (k MACKey) Sum(input []byte) (out [MACLen]byte, err error) {
	if !k.aes {
		out, err = mac.Algorithm3(k.key.Expose(), input, mac.Padding1)
	} else {
		var full []byte
		full, err = mac.CMACAES(k.key.Expose(), input)
		copy(out[:], full)
	}
	if err != nil {
		return out, fmt.Errorf("core: computing a MAC: %w", err)
	}
	return out, nil
}

// DecryptData deciphers data of the terminal in CBC mode. data are whole blocks
// and iv is one block, else ErrInput. The caller wipes the result.
func (t Transaction) DecryptData(iv, data []byte) (secret.Secret, error) {
	k, err := t.working(dukpt.DataEncryption)
	if err != nil {
		return secret.Secret{}, err
	}
	defer k.Wipe()
	return decryptCBC(k, t.aes(), iv, data)
}

// PINKey is the key of the PIN block of the transaction. The caller wipes it.
func (t Transaction) PINKey() (PINKey, error) {
	k, err := t.working(dukpt.PINEncryption)
	return PINKey{k, t.aes()}, err
}
