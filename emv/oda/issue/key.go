package issue

import (
	"errors"
	"fmt"
	"io"
	"math/big"

	"tallystick.example/emv/oda"
)

// A Key is an RSA key with its private half. The zero value has no use.
type Key struct {
	n, e, d *big.Int
}

// ErrKey means that modulus and exponents are no RSA key that the standard allows.
var ErrKey = errors.New("issue: no RSA key of 64 to 248 bytes with exponent 3 or 65537")

// NewKey takes a key from its three numbers. It tries that they belong together;
// ErrKey is the error.
func NewKey(modulus, exponent, private []byte) (*Key, error) {
	if _, ok := oda.NewPublicKey(modulus, exponent); !ok {
		return nil, ErrKey
	}
	k := &Key{new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent), new(big.Int).SetBytes(private)}
	probe := big.NewInt(0x7A11)
	if x := new(big.Int).Exp(probe, k.d, k.n); x.Exp(x, k.e, k.n).Cmp(probe) != 0 {
		return nil, ErrKey
	}
	return k, nil
}

// Size is the length of the modulus in bytes.
func (k *Key) Size() int { return (k.n.BitLen() + 7) / 8 }

// Modulus is the modulus.
func (k *Key) Modulus() []byte { return k.n.Bytes() }

// Exponent is the public exponent, one byte or three.
func (k *Key) Exponent() []byte { return k.e.Bytes() }

// Private is the private exponent.
func (k *Key) Private() []byte { return k.d.Bytes() }

// Public is the public half.
func (k *Key) Public() oda.PublicKey {
	p, ok := oda.NewPublicKey(k.Modulus(), k.Exponent())
	if !ok {
		panic("issue: a key that was checked is none")
	}
	return p
}

// Sign is the private operation on a whole block (EMV Book 2, Annex B2.1.1). A
// block of another length than the modulus, or not below it, is an error.
func (k *Key) Sign(block []byte) ([]byte, error) {
	return Sign(k.n.Bytes(), k.d.Bytes(), block)
}

// Sign is [Key.Sign] for a modulus and a private exponent of any key.
func Sign(modulus, private, block []byte) ([]byte, error) {
	n, x := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(block)
	if len(modulus) == 0 || len(block) != len(modulus) || n.Sign() == 0 || x.Cmp(n) >= 0 {
		return nil, errors.New("issue: the block must be as long as the modulus and below it")
	}
	x.Exp(x, new(big.Int).SetBytes(private), n)
	return x.FillBytes(make([]byte, len(modulus))), nil
}

// Generate makes a key of bits (512 to 1984, a multiple of 8) with exponent 3 or
// 65537 from the bytes of random: the same bytes give the same key, which is what
// test keys are for. It takes up to some seconds.
func Generate(random io.Reader, bits int, exponent int64) (*Key, error) {
	if bits < 512 || bits > 1984 || bits%8 != 0 || exponent != 3 && exponent != 65537 {
		return nil, ErrKey
	}
	e := big.NewInt(exponent)
	for {
		p, err := prime(random, (bits+1)/2, e)
		if err != nil {
			return nil, err
		}
		q, err := prime(random, bits-(bits+1)/2, e)
		if err != nil {
			return nil, err
		}
		n := new(big.Int).Mul(p, q)
		if p.Cmp(q) == 0 || n.BitLen() != bits {
			continue
		}
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		return &Key{n, e, new(big.Int).ModInverse(e, phi)}, nil
	}
}

// prime draws primes until one has no factor of e in p-1.
func prime(random io.Reader, bits int, e *big.Int) (*big.Int, error) {
	buf := make([]byte, (bits+7)/8)
	for {
		if _, err := io.ReadFull(random, buf); err != nil {
			return nil, fmt.Errorf("issue: drawing a prime: %w", err)
		}
		p := new(big.Int).SetBytes(buf)
		p.Rsh(p, uint(len(buf)*8-bits))
		p.SetBit(p, bits-1, 1).SetBit(p, bits-2, 1).SetBit(p, 0, 1)
		one := big.NewInt(1)
		if p.ProbablyPrime(20) && new(big.Int).GCD(nil, nil, e, new(big.Int).Sub(p, one)).Cmp(one) == 0 {
			return p, nil
		}
	}
}
