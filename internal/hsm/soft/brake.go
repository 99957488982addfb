package soft

import (
	"encoding/binary"
	"fmt"

	"tallystick.example/internal/pure/secret"
)

// A brake counts wrong PINs by look-up value, in its own file, whatever the
// issuer's counter says: a host in wrong hands cannot try PINs through the
// boundary for ever.
type brake struct {
	t     *table
	limit uint32
}

// brakeWidth is the count, four bytes, and four bytes of zeros.
const brakeWidth = 8

func openBrake(path string, key secret.Secret, limit uint32, create bool) (*brake, error) {
	t, err := openTable(path, brakeWidth, key, create)
	if err != nil {
		return nil, err
	}
	return &brake{t: t, limit: limit}, nil
}

// decide turns the result of a PIN check into what may leave the boundary. A
// wrong PIN is counted, and the count synced, before this returns; the right
// PIN sets the count to zero unless the brake holds already.
func (b *brake) decide(lookup [32]byte, right bool) (blocked bool, err error) {
	err = b.t.change(lookup, func(old []byte) ([]byte, error) {
		count := brakeCount(old)
		if count >= b.limit {
			blocked = true
			return nil, nil
		}
		if right {
			if count == 0 {
				return nil, nil
			}
			return make([]byte, brakeWidth), nil
		}
		v := make([]byte, brakeWidth)
		binary.BigEndian.PutUint32(v, count+1)
		return v, nil
	})
	if err != nil {
		return true, fmt.Errorf("soft: counting a PIN: %w", err)
	}
	return blocked, nil
}

// release sets the count of a card to zero.
func (b *brake) release(lookup [32]byte) error {
	return b.t.change(lookup, func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, nil
		}
		return make([]byte, brakeWidth), nil
	})
}

func brakeCount(v []byte) uint32 {
	if v == nil {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}
