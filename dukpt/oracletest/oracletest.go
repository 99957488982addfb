// Package oracletest compares package dukpt with another implementation of
// DUKPT, an oracle. Programs do not import it: it is for tests, also of modules
// that hold an oracle which this module does not depend on.
package oracletest

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"tallystick.example/dukpt"
)

// An Oracle derives keys as package dukpt does, from raw bytes. It owns nothing
// of what it is given and must not change it.
type Oracle interface {
	// InitialKey derives the initial key of the terminal that ksn names.
	InitialKey(bdk, ksn []byte) ([]byte, error)
	// TransactionKey derives the key of transaction ksn from the initial key: the
	// transaction key of TDES, the derivation key of AES.
	TransactionKey(ik, ksn []byte) ([]byte, error)
}

// maxStep bounds the distance between two counters that are compared, so that a
// walk meets neighbours as well as far counters.
const maxStep = 1 << 12

// Run compares the host derivation and the register machine with an oracle over
// some key hierarchies, with so many transactions of each. Base keys have
// keyLength bytes. All inputs come from seed, which a failure names.
func Run(t testing.TB, s dukpt.Scheme, keyLength int, o Oracle, seed uint64, hierarchies, transactions int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	for range hierarchies {
		bdk, raw := randomBytes(r, keyLength), randomBytes(r, 12)
		if s == dukpt.TDES {
			raw = raw[:10]
		}
		ksn, err := dukpt.ParseKSN(s, raw)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		ksn = ksn.Initial()
		ik, err := dukpt.InitialKey(bdk, ksn)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want, err := o.InitialKey(bytes.Clone(bdk), ksn.Bytes())
		if err != nil || !bytes.Equal(ik, want) {
			t.Fatalf("seed %d: initial key of %s differs from the oracle's, %v", seed, ksn, err)
		}
		walk(t, o, r, ik, ksn, seed, transactions)
	}
}

// walk moves a terminal forward and compares its keys.
func walk(t testing.TB, o Oracle, r *rand.Rand, ik []byte, ksn dukpt.KSN, seed uint64, transactions int) {
	t.Helper()
	state, err := dukpt.NewState(ik, ksn)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for range transactions {
		if next, err := ksn.WithCounter(ksn.Counter() + r.Uint32N(maxStep)); err == nil && r.IntN(2) == 0 {
			ksn = next
		}
		if ksn, err = ksn.Next(); err != nil {
			return // the end of the key's life
		}
		var key []byte
		if state, key, err = state.KeyAt(ksn.Counter()); err != nil {
			t.Fatalf("seed %d, %s: %v", seed, ksn, err)
		}
		want, err := o.TransactionKey(bytes.Clone(ik), ksn.Bytes())
		if err != nil || !bytes.Equal(key, want) {
			t.Fatalf("seed %d: key of %s differs from the oracle's, %v", seed, ksn, err)
		}
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
