package register

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tallystick.example/agent/internal/keyfile"
	"tallystick.example/internal/pure/secret"
)

// ErrDamaged means that neither slot of the register file opens: the terminal
// cannot know which keys it has used and must stop selling.
var ErrDamaged = errors.New("the DUKPT registers have been damaged or altered")

// Layout of the file: two slots of slotSize bytes. A slot is magic and version
// (8), sequence (8), nonce (12), then the sealed payload (its length and bytes,
// filled with zeros) with its tag. Writing overwrites the slot of the older
// sequence in place and syncs, so one good slot exists at every moment.
const (
	slotSize     = 4096
	slotHeader   = 8 + 8 + nonceSize
	nonceSize    = 12
	tagSize      = 16
	payloadSize  = slotSize - slotHeader - tagSize
	slotMagic    = "TSREGS\x00\x01"
	maxSlotBytes = payloadSize - 4
)

// slots is the two-slot file. It has one owner at a time.
type slots struct {
	file     *os.File
	aead     cipher.AEAD
	random   io.Reader
	sequence uint64 // of the newest good slot; slot sequence%2 holds it
	noSync   bool
}

// newAEAD is AES-256-GCM under the register key.
func newAEAD(key secret.Secret) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key.Expose())
	if err != nil {
		return nil, fmt.Errorf("register: the key of the register file: %w", err)
	}
	return cipher.NewGCM(block)
}

// createSlots makes a new file that holds payload in its first slot. The file
// must not exist.
func createSlots(path string, key secret.Secret, random io.Reader, noSync bool, payload []byte) (_ *slots, err error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("register: creating the register file: %w", err)
	}
	s := &slots{file: f, aead: aead, random: random, noSync: noSync}
	if err := errors.Join(f.Truncate(2*slotSize), s.write(payload)); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	if err := keyfile.SyncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// openSlots opens the file and returns the newest payload. torn reports that one
// slot did not open: the write of the sequence after the newest may have been
// cut by a power loss, or the newest slot has been damaged since.
func openSlots(path string, key secret.Secret, random io.Reader, noSync bool) (s *slots, payload []byte, torn bool, err error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, nil, false, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, false, fmt.Errorf("register: opening the register file: %w", err)
	}
	s = &slots{file: f, aead: aead, random: random, noSync: noSync}
	good, blanks := 0, false
	for i := range int64(2) {
		sequence, p, blank, err := s.read(i)
		if err != nil {
			return nil, nil, false, errors.Join(err, f.Close())
		}
		if p == nil {
			torn, blanks = torn || !blank, blanks || blank
			continue
		}
		good++
		if payload == nil || sequence > s.sequence {
			clear(payload)
			s.sequence, payload = sequence, p
		} else {
			clear(p)
		}
	}
	if good == 0 {
		return nil, nil, false, errors.Join(fmt.Errorf("register: %w", ErrDamaged), f.Close())
	}
	// Only the very first write leaves the other slot unwritten.
	return s, payload, torn || blanks && s.sequence > 1, nil
}

// read opens one slot. A slot that was never written is blank; a slot that does
// not open gives no payload. The error is that of the file system.
func (s *slots) read(i int64) (sequence uint64, payload []byte, blank bool, err error) {
	b := make([]byte, slotSize)
	if _, err := s.file.ReadAt(b, i*slotSize); err != nil && !errors.Is(err, io.EOF) {
		return 0, nil, false, fmt.Errorf("register: reading the register file: %w", err)
	}
	sequence = binary.BigEndian.Uint64(b[8:])
	if string(b[:8]) != slotMagic || sequence%2 != uint64(i) {
		return 0, nil, allZero(b), nil
	}
	plain, err := s.aead.Open(nil, b[16:slotHeader], b[slotHeader:], b[:16])
	if err != nil {
		return 0, nil, false, nil
	}
	defer clear(plain)
	n := binary.BigEndian.Uint32(plain)
	if n > maxSlotBytes {
		return 0, nil, false, nil
	}
	return sequence, append([]byte(nil), plain[4:4+n]...), false, nil
}

func allZero(b []byte) bool {
	var or byte
	for _, x := range b {
		or |= x
	}
	return or == 0
}

// write seals payload into the slot of the older sequence and returns when it is
// durable. After an error nobody knows what is on the disk: the process ends.
func (s *slots) write(payload []byte) error {
	if len(payload) > maxSlotBytes {
		return fmt.Errorf("register: the state has %d bytes, a slot holds %d", len(payload), maxSlotBytes)
	}
	next := s.sequence + 1
	b := make([]byte, slotHeader, slotSize)
	copy(b, slotMagic)
	binary.BigEndian.PutUint64(b[8:], next)
	if _, err := io.ReadFull(s.random, b[16:slotHeader]); err != nil {
		return fmt.Errorf("register: drawing a nonce: %w", err)
	}
	plain := make([]byte, payloadSize)
	defer clear(plain)
	binary.BigEndian.PutUint32(plain, uint32(len(payload)))
	copy(plain[4:], payload)
	b = s.aead.Seal(b, b[16:slotHeader], plain, b[:16])
	if _, err := s.file.WriteAt(b, int64(next%2)*slotSize); err != nil {
		return fmt.Errorf("register: writing the register file: %w", err)
	}
	if !s.noSync {
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("register: syncing the register file: %w", err)
		}
	}
	s.sequence = next
	return nil
}

func (s *slots) close() error { return s.file.Close() }
