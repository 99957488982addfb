package dukpt

import (
	"crypto/aes"
	"fmt"
	"io"

	"tallystick.example/dukpt/pinblock"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// WorkingKeys are the keys of one transaction, of either scheme: for the PIN,
// the codes and the card data of the message that carries their KSN, and of its
// answer. They print as a fixed text. Many goroutines may use them, but not
// while one of them calls Wipe.
//
// With TDES, PIN blocks have formats 0, 1 or 3, codes are retail MACs (X9.19)
// and data are TDES-CBC. With AES, PIN blocks have format 4, codes are the left
// half of an AES-CMAC and data are AES-CBC.
type WorkingKeys struct {
	ksn KSN
	typ KeyType // of the working keys
	// keys is the transaction key of TDES, whose variants are made when they are
	// used since key schedules are most of their cost. For AES it is the working
	// keys in the order of slots: from the derivation key one could go on to
	// future keys, so it is not kept.
	keys secret.Secret
}

// slots is the order of the working keys of AES in memory.
var slots = [...]Usage{PINEncryption, MACGeneration, MACVerification, DataEncryption, DataDecryption}

// KeysFromInitial derives the working keys of transaction ksn from the initial
// key of its terminal, as [Base.Keys] does from the base key. ik is not kept.
func KeysFromInitial(ik []byte, ksn KSN, t KeyType) (*WorkingKeys, error) {
	key, err := TransactionKey(ik, ksn)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newKeys(key, ksn, t)
}

// newKeys makes working keys of type t, or of the default type for 0, from the
// transaction key.
func newKeys(key []byte, ksn KSN, t KeyType) (*WorkingKeys, error) {
	if ksn.scheme == TDES {
		if t != 0 && t != TDES2 {
			return nil, ErrKeyType
		}
		return &WorkingKeys{ksn: ksn, typ: TDES2, keys: secret.New(key)}, nil
	}
	if t == 0 {
		t = AES128
	}
	from, err := derivationType(len(key))
	if err != nil {
		return nil, err
	}
	if !t.isAES() || t.Len() > from.Len() {
		return nil, ErrKeyType
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	all := make([]byte, len(slots)*t.Len())
	id := transactionID(ksn, ksn.Counter())
	for i, u := range slots {
		deriveAES(b, all[i*t.Len():(i+1)*t.Len()], u, t, id)
	}
	return &WorkingKeys{ksn: ksn, typ: t, keys: secret.Take(all)}, nil
}

// KSN is the key serial number of the keys.
func (k *WorkingKeys) KSN() KSN { return k.ksn }

// PINFormat is the format in which a terminal of this scheme sends PINs: ISO 0
// for TDES, ISO 4 for AES.
func (k *WorkingKeys) PINFormat() pinblock.Format {
	if k.ksn.scheme == TDES {
		return pinblock.ISO0
	}
	return pinblock.ISO4
}

// BlockSize is the cipher block of card data in bytes: 8 for TDES, 16 for AES.
func (k *WorkingKeys) BlockSize() int {
	if k.ksn.scheme == TDES {
		return mac.BlockSize
	}
	return aes.BlockSize
}

// EncryptPIN makes the enciphered block of pin for pan, both digits in ASCII, in
// format f. A format that is not of the scheme gives [pinblock.ErrFormat]; other
// errors are those of [pinblock.Encipher].
func (k *WorkingKeys) EncryptPIN(f pinblock.Format, pin, pan []byte, random io.Reader) ([]byte, error) {
	key, err := k.pinKey(f)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return pinblock.Encipher(f, key, pin, pan, random)
}

// DecryptPIN takes the PIN out of a block; see [pinblock.Decipher]. Only an HSM
// calls it. The caller clears the result.
func (k *WorkingKeys) DecryptPIN(f pinblock.Format, block, pan []byte) ([]byte, error) {
	key, err := k.pinKey(f)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return pinblock.Decipher(f, key, block, pan)
}

// TranslatePIN moves a block from the PIN key of this transaction to another
// key; see [pinblock.Translate].
func (k *WorkingKeys) TranslatePIN(f pinblock.Format, to pinblock.Side, block, pan []byte, random io.Reader) ([]byte, error) {
	key, err := k.pinKey(f)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return pinblock.Translate(pinblock.Side{Format: f, Key: key}, to, block, pan, random)
}

func (k *WorkingKeys) pinKey(f pinblock.Format) ([]byte, error) {
	if (f == pinblock.ISO4) != (k.ksn.scheme == AES) {
		return nil, pinblock.ErrFormat
	}
	return k.key(PINEncryption)
}

// MAC is the code of a message of direction d, MACLength bytes long. An unknown
// direction gives ErrDirection.
func (k *WorkingKeys) MAC(d Direction, data []byte) ([]byte, error) {
	u, err := d.macUsage()
	if err != nil {
		return nil, err
	}
	key, err := k.key(u)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	algorithm := CMAC
	if k.ksn.scheme == TDES {
		algorithm = X919
	}
	code, err := MAC(algorithm, k.typ, key, data)
	if err != nil {
		return nil, err
	}
	return code[:MACLength:MACLength], nil
}

// VerifyMAC reports in constant time whether got is the code of a message of
// direction d, of exactly MACLength bytes. The error is that of MAC; a code that
// does not fit is no error.
func (k *WorkingKeys) VerifyMAC(d Direction, data, got []byte) (bool, error) {
	want, err := k.MAC(d, data)
	if err != nil {
		return false, err
	}
	return len(got) == MACLength && mac.Verify(want, got), nil
}

// EncryptData enciphers card data of a message of direction d; see
// [EncryptCBC]. iv is fresh random bytes for every call.
func (k *WorkingKeys) EncryptData(d Direction, iv, data []byte) ([]byte, error) {
	return k.crypt(EncryptCBC, d, iv, data)
}

// DecryptData is the reverse of EncryptData. The caller clears the result.
func (k *WorkingKeys) DecryptData(d Direction, iv, data []byte) ([]byte, error) {
	return k.crypt(DecryptCBC, d, iv, data)
}

func (k *WorkingKeys) crypt(cbc func(KeyType, []byte, []byte, []byte) ([]byte, error), d Direction, iv, data []byte) ([]byte, error) {
	u, err := d.dataUsage()
	if err != nil {
		return nil, err
	}
	key, err := k.key(u)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return cbc(k.typ, key, iv, data)
}

// key is a copy of the working key of usage u, which is in slots.
func (k *WorkingKeys) key(u Usage) ([]byte, error) {
	all := k.keys.Expose()
	if len(all) == 0 {
		return nil, ErrWiped
	}
	if k.ksn.scheme == TDES {
		return WorkingKey(all, k.ksn, TDES2, u)
	}
	for i, s := range slots {
		if s == u {
			return append([]byte(nil), all[i*k.typ.Len():(i+1)*k.typ.Len()]...), nil
		}
	}
	return nil, ErrUsage
}

// Wipe overwrites the keys; every later use gives ErrWiped.
func (k *WorkingKeys) Wipe() { k.keys.Wipe() }

// Format writes the KSN and no key, whatever the verb.
func (k *WorkingKeys) Format(f fmt.State, _ rune) {
	// The state of a formatter has no failing writer; fmt ignores it too.
	_, _ = io.WriteString(f, "working keys of "+k.ksn.String())
}
