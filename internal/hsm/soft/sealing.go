package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"tallystick.example/internal/pure/secret"
)

// A sealer seals PANs with AES-256-GCM under versioned keys. A sealed record is
// the version (4 bytes), the nonce (12) and the cipher text with its tag (16);
// the token, the name of the table and the version are associated data, so that
// a record moved to another row does not open.
type sealer struct {
	rand  io.Reader
	seals *table // seals reserved, by version

	mu       sync.Mutex
	keys     map[uint32]cipher.AEAD
	newest   uint32
	left     uint64 // seals of the newest key that are reserved and unused
	reserved uint64 // seals of the newest key that the table knows of
	rotate   func() error
}

const (
	sealHeader = 4 + 12
	gcmTag     = 16
	// sealTable names what is sealed, within the associated data.
	sealTable = "card token"
	// maxSeals is how many random nonces one key sees. At 2³¹ the chance of a
	// repeated one is 2⁻³⁵ (NIST SP 800-38D, 8.3 allows 2³²).
	maxSeals = 1 << 31
	// sealBlock is how many seals are reserved with one sync; a crash wastes at
	// most that many.
	sealBlock = 1 << 20
	sealWidth = 8
)

func newSealer(rand io.Reader, seals *table, rotate func() error) *sealer {
	return &sealer{rand: rand, seals: seals, keys: make(map[uint32]cipher.AEAD), rotate: rotate}
}

// newAEAD prepares AES-256-GCM.
func newAEAD(key secret.Secret) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key.Expose())
	if err != nil {
		return nil, fmt.Errorf("soft: preparing a sealing key: %w", err)
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		return nil, fmt.Errorf("soft: preparing a sealing key: %w", err)
	}
	return a, nil
}

func sealCountKey(version uint32) (k [32]byte) {
	binary.BigEndian.PutUint32(k[:], version)
	return k
}

// add takes in a key; a version above the others becomes the one that seals.
func (s *sealer) add(version uint32, key secret.Secret) error {
	a, err := newAEAD(key)
	if err != nil {
		return err
	}
	count, err := s.seals.get(sealCountKey(version))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[version] = a
	if version > s.newest {
		s.newest, s.left, s.reserved = version, 0, 0
		if count != nil {
			s.reserved = binary.BigEndian.Uint64(count)
		}
	}
	return nil
}

// current is the version that seals, 0 when there is none.
func (s *sealer) current() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// next returns the key for one more seal; a spent key is replaced first.
func (s *sealer) next() (uint32, cipher.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 && s.reserved+sealBlock > maxSeals {
		s.mu.Unlock()
		err := s.rotate()
		s.mu.Lock()
		if err != nil {
			return 0, nil, err
		}
	}
	if s.left == 0 {
		want := s.reserved + sealBlock
		err := s.seals.change(sealCountKey(s.newest), func([]byte) ([]byte, error) {
			return binary.BigEndian.AppendUint64(nil, want), nil
		})
		if err != nil {
			return 0, nil, err
		}
		s.reserved, s.left = want, sealBlock
	}
	s.left--
	return s.newest, s.keys[s.newest], nil
}

// seal seals pan for token.
func (s *sealer) seal(token string, pan secret.Secret) ([]byte, error) {
	version, a, err := s.next()
	if err != nil {
		return nil, err
	}
	out := make([]byte, sealHeader, sealHeader+pan.Len()+gcmTag)
	binary.BigEndian.PutUint32(out, version)
	if _, err := io.ReadFull(s.rand, out[4:sealHeader]); err != nil {
		return nil, fmt.Errorf("soft: drawing a nonce: %w", err)
	}
	return a.Seal(out, out[4:sealHeader], pan.Expose(), sealAAD(token, version)), nil
}

// open returns the PAN of a record, whose owner wipes it; ok is false for a
// record that was changed or belongs to another token.
func (s *sealer) open(token string, sealed []byte) (pan secret.Secret, ok bool) {
	if len(sealed) < sealHeader+gcmTag {
		return secret.Secret{}, false
	}
	version := binary.BigEndian.Uint32(sealed)
	s.mu.Lock()
	a, known := s.keys[version]
	s.mu.Unlock()
	if !known {
		return secret.Secret{}, false
	}
	b, err := a.Open(nil, sealed[4:sealHeader], sealed[sealHeader:], sealAAD(token, version))
	if err != nil {
		return secret.Secret{}, false
	}
	return secret.Take(b), true
}

func sealAAD(token string, version uint32) []byte {
	aad := append([]byte(sealTable), 0)
	aad = append(aad, token...)
	aad = append(aad, 0)
	return binary.BigEndian.AppendUint32(aad, version)
}
