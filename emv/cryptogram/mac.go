package cryptogram

import (
	"fmt"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
)

// retailMAC is ISO/IEC 9797-1 algorithm 3 with DES under a 16-byte key; the
// 32-byte keys that the algorithm also takes have no place in EMV.
func retailMAC(key secret.Secret, data []byte, padding mac.Padding) (AC, error) {
	if key.Len() != keySize {
		return AC{}, ErrKey
	}
	sum, err := mac.Algorithm3(key.Expose(), data, padding)
	if err != nil {
		return AC{}, fmt.Errorf("computing the MAC: %w", err)
	}
	return sum, nil
}
