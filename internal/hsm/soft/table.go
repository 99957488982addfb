package soft

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"tallystick.example/internal/pure/secret"
)

// A table is a small durable map from 32-byte keys to values of one length:
// a file of records that is only appended to, each record synced before put
// returns. The newest record of a key counts; a value of zeros is none.
//
// A record is sequence (8 bytes), key (32), value and the first 16 bytes of an
// HMAC-SHA-256 over the name of the table and all of these. Since every record is synced
// before the next is written, only the last one can be torn by a crash: it is
// dropped at the next start, for its put never returned. Any other bad record
// means that somebody changed the file, and the table does not open.
type table struct {
	path string
	name string
	key  secret.Secret // of the record MACs

	mu      sync.Mutex
	f       *os.File
	width   int // of values
	seq     uint64
	records int
	live    map[[32]byte][]byte
	broken  error       // the first failed write: nothing is known of the file any more
	fatal   func(error) // is told of it; may be nil
	syncing func(*os.File) error
}

const (
	tableMACLen = 16
	// compactAbove is how many superseded records a file may hold.
	compactAbove = 4096
	// maxLive bounds the memory of a table; 2²⁰ entries take about 100 MB.
	maxLive = 1 << 20
)

var (
	// ErrState means that a state file was changed or does not belong to the LMK.
	ErrState = errors.New("soft: a state file is damaged or not of this boundary")
	errFull  = errors.New("soft: a state table is full")
)

// openTable opens the table at path, or makes an empty one when create is set;
// without create a missing file is an error, for its absence would forget what
// it stands for.
func openTable(path string, width int, key secret.Secret, create bool) (*table, error) {
	t := &table{path: path, name: filepath.Base(path), key: key, width: width,
		live: make(map[[32]byte][]byte), syncing: (*os.File).Sync}
	if create {
		if err := t.rewrite(); err != nil {
			return nil, err
		}
		return t, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("soft: reading the state: %w", err)
	}
	whole, err := t.load(b)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("soft: opening the state: %w", err)
	}
	t.f = f
	if whole < len(b) {
		err = f.Truncate(int64(whole))
	}
	if err == nil {
		_, err = f.Seek(int64(whole), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("soft: dropping a torn record of the state: %w", err), f.Close())
	}
	return t, nil
}

func (t *table) size() int { return 8 + 32 + t.width + tableMACLen }

// load takes in all records of b and returns how many bytes hold whole ones.
func (t *table) load(b []byte) (int, error) {
	n := t.size()
	off := 0
	for ; len(b)-off >= n; off += n {
		r := b[off : off+n]
		if !hmac.Equal(t.sum(r[:n-tableMACLen]), r[n-tableMACLen:]) {
			if len(b)-off == n {
				return off, nil // the last record, torn
			}
			return 0, fmt.Errorf("%w: %s, record %d", ErrState, t.name, t.records+1)
		}
		seq := binary.BigEndian.Uint64(r)
		if t.records > 0 && seq != t.seq+1 {
			return 0, fmt.Errorf("%w: %s, record %d is out of order", ErrState, t.name, t.records+1)
		}
		t.seq = seq
		t.records++
		t.remember([32]byte(r[8:40]), bytes.Clone(r[40:40+t.width]))
	}
	return off, nil
}

func (t *table) remember(key [32]byte, value []byte) {
	if allZero(value) {
		delete(t.live, key)
		return
	}
	t.live[key] = value
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (t *table) sum(record []byte) []byte {
	h := hmac.New(sha256.New, t.key.Expose())
	h.Write([]byte(t.name))
	h.Write([]byte{0})
	h.Write(record)
	return h.Sum(nil)[:tableMACLen]
}

// record packs the next record of key and value.
func (t *table) record(dst []byte, key [32]byte, value []byte) []byte {
	t.seq++
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, t.seq)
	dst = append(dst, key[:]...)
	dst = append(dst, value...)
	return append(dst, t.sum(dst[start:])...)
}

// change reads the value of key, nil when there is none, hands it to f and
// makes what f returns durable before it returns itself. When f returns nil
// nothing changes; when it fails, its error comes back. Changes are serial.
func (t *table) change(key [32]byte, f func(old []byte) ([]byte, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken != nil {
		return t.broken
	}
	old := t.live[key]
	value, err := f(bytes.Clone(old))
	if err != nil || value == nil {
		return err
	}
	if len(value) != t.width {
		panic("soft: a state value of the wrong width")
	}
	if old == nil && len(t.live) >= maxLive {
		return errFull
	}
	if err := t.append(key, value); err != nil {
		return t.breaks(fmt.Errorf("soft: writing the state %s: %w", t.name, err))
	}
	t.remember(key, bytes.Clone(value))
	if t.records > 2*len(t.live)+compactAbove {
		if err := t.rewrite(); err != nil {
			return t.breaks(err)
		}
	}
	return nil
}

// breaks ends the use of the table; t.mu is held.
func (t *table) breaks(err error) error {
	t.broken = err
	if t.fatal != nil {
		t.fatal(err)
	}
	return err
}

func (t *table) append(key [32]byte, value []byte) error {
	if _, err := t.f.Write(t.record(nil, key, value)); err != nil {
		return err
	}
	t.records++
	return t.syncing(t.f)
}

// get returns the value of key, nil when there is none.
func (t *table) get(key [32]byte) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.live[key]), t.broken
}

// rewrite replaces the file by one that holds the live records only.
func (t *table) rewrite() error {
	var b []byte
	records := 0
	for key, value := range t.live {
		b = t.record(b, key, value)
		records++
	}
	f, err := replaceFile(t.path, b)
	if err != nil {
		return err
	}
	if t.f != nil {
		if err := t.f.Close(); err != nil {
			return errors.Join(fmt.Errorf("soft: closing the old state: %w", err), f.Close())
		}
	}
	t.f, t.records = f, records
	return nil
}

// close releases the file; every record is already durable.
func (t *table) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.broken = errClosed
	t.key.Wipe()
	return t.f.Close()
}
