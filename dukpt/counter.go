package dukpt

import "math/bits"

// Check returns ErrCounter when no terminal uses the counter of k: it is zero,
// or has more than 10 (TDES) or 16 (AES) one bits. The zero KSN gives ErrKSN.
func (k KSN) Check() error {
	switch {
	case k.scheme == 0:
		return ErrKSN
	case !usable(k.scheme, k.Counter()):
		return ErrCounter
	}
	return nil
}

// usable reports whether a terminal uses counter c for a transaction.
func usable(s Scheme, c uint32) bool {
	return c != 0 && bits.OnesCount32(c) <= s.maxOnes()
}

// Next is the KSN of the transaction after k: the next higher usable counter.
// After the last one it gives ErrExhausted.
func (k KSN) Next() (KSN, error) {
	if k.scheme == 0 {
		return KSN{}, ErrKSN
	}
	c, ok := next(k.scheme, k.Counter())
	if !ok {
		return KSN{}, ErrExhausted
	}
	return k.at(c), nil
}

// next is the lowest usable counter above c. With too many one bits, adding the
// lowest of them skips exactly the counters that have even more.
func next(s Scheme, c uint32) (uint32, bool) {
	n, end := uint64(c)+1, uint64(1)<<s.counterBits()
	for bits.OnesCount64(n) > s.maxOnes() {
		n += n & -n
	}
	return uint32(n), n < end
}

// Remaining is how many transactions come after k. A terminal begins with
// 1,048,575 (TDES) or 2,448,023,842 (AES).
func (k KSN) Remaining() uint64 {
	if k.scheme == 0 {
		return 0
	}
	// A usable counter above c agrees with c down to some zero bit of c and has a
	// one there; the bits below are free but for the number of ones.
	var total uint64
	c, ones := k.Counter(), 0
	for bit := k.scheme.counterBits() - 1; bit >= 0; bit-- {
		if c>>bit&1 == 1 {
			ones++
		} else if left := k.scheme.maxOnes() - ones - 1; left >= 0 {
			total += atMost(bit, left)
		}
	}
	return total
}

// atMost is how many numbers of n bits have at most k one bits.
func atMost(n, k int) uint64 {
	var sum, choose uint64 = 0, 1
	for i := 0; i <= min(n, k); i++ {
		sum += choose
		choose = choose * uint64(n-i) / uint64(i+1)
	}
	return sum
}
