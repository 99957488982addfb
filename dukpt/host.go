package dukpt

import (
	"crypto/aes"
	"crypto/cipher"
)

// A Base is a base derivation key, ready to derive. It keeps the key schedules,
// which are most of the cost of an initial key. It is safe for many goroutines.
type Base struct {
	scheme Scheme
	tdes   *tdesBase
	aes    cipher.Block
	typ    KeyType // of an AES base key and all derivation keys under it
}

// NewBase prepares a base derivation key: 16 bytes for TDES, 16, 24 or 32 for
// AES. Other lengths give ErrKeyLength, another scheme ErrKSN. bdk is not kept;
// the caller clears it.
func NewBase(s Scheme, bdk []byte) (*Base, error) {
	switch s {
	case TDES:
		t, err := newTDESBase(bdk)
		if err != nil {
			return nil, err
		}
		return &Base{scheme: s, tdes: t, typ: TDES2}, nil
	case AES:
		t, err := derivationType(len(bdk))
		if err != nil {
			return nil, err
		}
		b, err := aes.NewCipher(bdk)
		if err != nil {
			return nil, err
		}
		return &Base{scheme: s, aes: b, typ: t}, nil
	}
	return nil, ErrKSN
}

// InitialKey derives the key that is loaded into the terminal which ksn names
// (X9.24-1:2009, A.6; X9.24-3:2017, 6.4). The counter is ignored. The caller
// owns the result: 16 bytes for TDES, the length of the base key for AES. A KSN
// of another scheme gives ErrKSN.
func (b *Base) InitialKey(ksn KSN) ([]byte, error) {
	switch {
	case ksn.scheme != b.scheme:
		return nil, ErrKSN
	case b.scheme == TDES:
		k := b.tdes.initialKey(ksn)
		defer clear(k[:])
		return append([]byte(nil), k[:]...), nil
	}
	k := initialAES(b.aes, b.typ, ksn)
	defer clear(k.b[:])
	return append([]byte(nil), k.bytes()...), nil
}

// TransactionKey derives the key of one transaction: the transaction key of
// TDES, the derivation key of AES. Errors are those of InitialKey and
// [KSN.Check].
func (b *Base) TransactionKey(ksn KSN) ([]byte, error) {
	ik, err := b.InitialKey(ksn)
	if err != nil {
		return nil, err
	}
	defer clear(ik)
	return TransactionKey(ik, ksn)
}

// WorkingKey derives one working key of one transaction, of t.Len() bytes; see
// [WorkingKey].
func (b *Base) WorkingKey(ksn KSN, t KeyType, u Usage) ([]byte, error) {
	key, err := b.TransactionKey(ksn)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return WorkingKey(key, ksn, t, u)
}

// Keys derives the working keys of one transaction. For AES, t is AES128,
// AES192 or AES256, at most as long as the base key; for TDES it is TDES2. Zero
// means the default of the scheme: AES128 or TDES2. Errors are those of
// TransactionKey, and ErrKeyType.
func (b *Base) Keys(ksn KSN, t KeyType) (*WorkingKeys, error) {
	ik, err := b.InitialKey(ksn)
	if err != nil {
		return nil, err
	}
	defer clear(ik)
	return KeysFromInitial(ik, ksn, t)
}

// InitialKey is [Base.InitialKey] for a base key that is used once.
func InitialKey(bdk []byte, ksn KSN) ([]byte, error) {
	b, err := NewBase(ksn.scheme, bdk)
	if err != nil {
		return nil, err
	}
	return b.InitialKey(ksn)
}

// TransactionKey derives the key of the transaction ksn from the initial key of
// its terminal: 16 bytes for TDES; 16, 24 or 32 for AES, where the result has
// the same length. Other lengths give ErrKeyLength, a counter that no terminal
// uses ErrCounter. The caller owns the result.
func TransactionKey(ik []byte, ksn KSN) ([]byte, error) {
	if err := ksn.Check(); err != nil {
		return nil, err
	}
	if ksn.scheme == TDES {
		if len(ik) != 16 {
			return nil, ErrKeyLength
		}
		k, err := tdesKey(ik).transactionKey(ksn)
		if err != nil {
			return nil, err
		}
		defer clear(k[:])
		return append([]byte(nil), k[:]...), nil
	}
	k, err := newAESKey(ik)
	if err != nil {
		return nil, err
	}
	defer clear(k.b[:])
	d, err := k.transactionKey(ksn)
	if err != nil {
		return nil, err
	}
	defer clear(d.b[:])
	return append([]byte(nil), d.bytes()...), nil
}

// WorkingKey derives a working key from the transaction key of ksn
// (X9.24-1:2009, A.4.1; X9.24-3:2017, 6.3). For TDES, t must be TDES2 and u one
// of the usages with a direction, or PINEncryption. For AES, t is any type that
// is not stronger than the transaction key, and HMAC types take MAC usages only.
// Else it gives ErrKeyType or ErrUsage, and for a transaction key of a wrong
// length ErrKeyLength. The caller owns the result of t.Len() bytes.
func WorkingKey(key []byte, ksn KSN, t KeyType, u Usage) ([]byte, error) {
	if err := ksn.Check(); err != nil {
		return nil, err
	}
	if ksn.scheme == TDES {
		if len(key) != 16 {
			return nil, ErrKeyLength
		}
		if t != TDES2 {
			return nil, ErrKeyType
		}
		k := tdesKey(key)
		defer clear(k[:])
		w, err := k.workingKey(u)
		if err != nil {
			return nil, err
		}
		defer clear(w[:])
		return append([]byte(nil), w[:]...), nil
	}
	return workingAES(key, transactionID(ksn, ksn.Counter()), t, u)
}

// UpdateKey derives, from the initial key of a terminal, the key of type t that
// protects its next initial key (AES only, X9.24-3:2017, 6.5.4): the working key
// for key encryption of counter FFFFFFFF, which no transaction has. The counter
// of ksn is ignored. Errors are as for WorkingKey. A terminal, which has no
// initial key any more, uses [State.UpdateKey].
func UpdateKey(ik []byte, ksn KSN, t KeyType) ([]byte, error) {
	if ksn.scheme != AES {
		return nil, ErrKSN
	}
	k, err := newAESKey(ik)
	if err != nil {
		return nil, err
	}
	defer clear(k.b[:])
	d, err := k.transactionKey(ksn.at(updateCounter))
	if err != nil {
		return nil, err
	}
	defer clear(d.b[:])
	return updateKey(d.bytes(), ksn, t)
}

// updateKey makes the update key from the derivation key of its counter.
func updateKey(key []byte, ksn KSN, t KeyType) ([]byte, error) {
	return workingAES(key, transactionID(ksn, updateCounter), t, KeyEncryption)
}

func workingAES(key []byte, id [8]byte, t KeyType, u Usage) ([]byte, error) {
	from, err := derivationType(len(key))
	if err != nil {
		return nil, err
	}
	if err := checkWorking(from, t, u); err != nil {
		return nil, err
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	w := make([]byte, t.Len())
	deriveAES(b, w, u, t, id)
	return w, nil
}
