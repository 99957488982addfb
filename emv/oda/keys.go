package oda

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/secret"
)

// Limits of what a terminal keeps. The standard asks for six keys and 30
// revocations for each RID (B2 5.1.2, 11.2.2).
const (
	maxCAKeys      = 1024
	maxRevocations = 65536
	// maxIssuers bounds the issuer keys remembered: about 600 bytes each.
	maxIssuers = 64
)

type keyName struct {
	rid   [5]byte
	index byte
}

// Keys are the CA keys and revocations of a terminal, with a memory of the issuer
// keys recovered last: a card of the same issuer then costs one RSA operation
// less. It may be used by several goroutines at once.
type Keys struct {
	ca      map[keyName]CAKey
	revoked map[Revocation]bool

	mu      sync.Mutex // guards what follows
	issuers map[[sha256.Size]byte]*IssuerKey
	order   [][sha256.Size]byte // oldest first
	opened  int                 // issuer certificates that were recovered with RSA
}

// NewKeys checks the keys and puts them together. A key that is there twice or
// that [CAKey.Check] refuses is an error; so is more than a terminal keeps.
func NewKeys(keys []CAKey, revoked []Revocation) (*Keys, error) {
	if len(keys) > maxCAKeys || len(revoked) > maxRevocations {
		return nil, fmt.Errorf("oda: %d CA keys and %d revocations, at most %d and %d are kept",
			len(keys), len(revoked), maxCAKeys, maxRevocations)
	}
	k := &Keys{ca: map[keyName]CAKey{}, revoked: map[Revocation]bool{}, issuers: map[[sha256.Size]byte]*IssuerKey{}}
	for _, key := range keys {
		if err := key.Check(); err != nil {
			return nil, err
		}
		name := keyName{key.RID, key.Index}
		if _, twice := k.ca[name]; twice {
			return nil, fmt.Errorf("oda: CA key %v is there twice", key)
		}
		k.ca[name] = key
	}
	for _, r := range revoked {
		k.revoked[r] = true
	}
	return k, nil
}

// An IssuerInput is what an issuer's key comes in, and what it must belong to.
type IssuerInput struct {
	AID                              []byte        // its first five bytes are the RID
	Index                            byte          // 8F
	Certificate, Remainder, Exponent []byte        // 90, 92, 9F32
	PAN                              secret.Secret // ASCII digits
	Date                             emv.Day       // of the transaction
}

// Issuer recovers an issuer's key with all checks of B2 5.2, 5.3, 6.2 and 6.3: CA
// key, its expiry, certificate, issuer identifier, expiry, revocation. The error
// is an [*Error] of StepCAKey or StepIssuer.
func (k *Keys) Issuer(in IssuerInput) (*IssuerKey, error) {
	if len(in.AID) < 5 {
		return nil, fails(StepCAKey, "B2 6.2", "the application has no RID")
	}
	name := keyName{[5]byte(in.AID), in.Index}
	ca, ok := k.ca[name]
	switch {
	case !ok:
		return nil, fails(StepCAKey, "B2 6.2", fmt.Sprintf("there is no CA key %X %02X", name.rid, name.index))
	case ca.Expires.Before(in.Date):
		return nil, fails(StepCAKey, "B2 11.2.2", fmt.Sprintf("the CA key %X %02X has expired", name.rid, name.index))
	}
	issuer, err := k.recover(ca, in)
	if err != nil {
		return nil, err
	}
	if err := issuer.Belongs(in.PAN); err != nil {
		return nil, err
	}
	if err := issuer.ValidOn(in.Date); err != nil {
		return nil, err
	}
	if k.revoked[Revocation{ca.RID, ca.Index, issuer.Serial()}] {
		return nil, fails(StepIssuer, "B2 6.3 step 10", "the certificate is revoked")
	}
	return issuer, nil
}

// recover takes the issuer's key from memory or opens the certificate. Only what
// a certificate says by itself is remembered: dates and revocations are asked anew.
func (k *Keys) recover(ca CAKey, in IssuerInput) (*IssuerKey, error) {
	h := sha256.New()
	for _, part := range [][]byte{ca.RID[:], {ca.Index, byte(len(in.Certificate)), byte(len(in.Remainder))},
		in.Certificate, in.Remainder, in.Exponent} {
		h.Write(part)
	}
	id := [sha256.Size]byte(h.Sum(nil))
	k.mu.Lock()
	known := k.issuers[id]
	k.mu.Unlock()
	if known != nil {
		return known, nil
	}
	key, ok := NewPublicKey(ca.Modulus, ca.Exponent)
	if !ok {
		panic("oda: a CA key that was checked is none")
	}
	issuer, err := RecoverIssuer(key, in.Certificate, in.Remainder, in.Exponent)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened++
	if err != nil {
		return nil, err
	}
	k.remember(id, issuer)
	return issuer, nil
}

// remember keeps an issuer's key and forgets the oldest. k.mu is held.
func (k *Keys) remember(id [sha256.Size]byte, issuer *IssuerKey) {
	if k.issuers[id] != nil {
		return // another goroutine was faster
	}
	if len(k.order) == maxIssuers {
		delete(k.issuers, k.order[0])
		k.order = append(k.order[:0], k.order[1:]...)
	}
	k.issuers[id] = issuer
	k.order = append(k.order, id)
}

// Opened counts the issuer certificates that were recovered with RSA, and not
// from memory, for measurements.
func (k *Keys) Opened() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.opened
}
