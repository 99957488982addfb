// Package journal is the terminal's half of the tally: every attempt is written
// here before anybody acts on it, and its outcome before anybody is told.
//
// The journal is a bbolt file. Each record has a number without gaps and a MAC
// that covers the record before it (bbolt itself checks only its meta pages), so
// a record that was changed, removed, added or moved is found when the journal
// is opened, and sales stop with ErrCorrupt. Rolling the whole file back is not
// found here: the host's DUKPT counter finds that.
//
// A method that writes returns only after fsync has. When a commit or sync
// fails, nobody knows whether the record is there: the method returns
// ErrUnknown, every later call does too, and the process must end and start
// again, which reads what really is there.
package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"tallystick.example/internal/pure/secret"
)

// Errors of the journal.
var (
	// ErrCorrupt means that a record or mark is not what was written. Sales must
	// stop; the file is kept as evidence and the terminal gets new keys.
	ErrCorrupt = errors.New("the journal has been damaged or altered")
	// ErrUnknown means that a write may or may not have become durable.
	ErrUnknown = errors.New("the journal could not be written: whether the last record is durable is unknown")
	// ErrNoRoom means that the disk has no room for a new sale. What is open can
	// still be finished: room for that is kept.
	ErrNoRoom = errors.New("the disk is too full for a new sale")
	// ErrLocked means that another process has the journal open.
	ErrLocked = errors.New("the journal is open in another process: is another agent running?")
)

// Names inside the bbolt file.
var (
	bucketLog  = []byte("log")
	bucketMeta = []byte("meta")
	keyEpoch   = []byte("epoch")
	keyHead    = []byte("head")
	keyBase    = []byte("base")
)

// lockWait bounds how long Open waits for another process to let go.
const lockWait = 2 * time.Second

// Options says how a journal is opened.
type Options struct {
	Path string
	Key  secret.Secret // 32 bytes, for this journal only
	// Random gives the epoch of a new journal.
	Random io.Reader
	Now    func() time.Time
	// OpenFile opens the file in place of os.OpenFile, so that a test can put
	// the journal on a file system that fails.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
	// NoSync leaves out fsync. Only crash tests that kill the process, never the
	// machine, may set it.
	NoSync bool
}

// A Journal is an open journal file. Its methods may be called by many
// goroutines; writes happen one after the other.
type Journal struct {
	mu    sync.Mutex
	db    *bolt.DB
	file  *os.File
	key   secret.Secret
	now   func() time.Time
	chain chain
	base  mark
	last  uint64 // number of the newest record
	state *fold
	dead  error
	// stanLeft is how many STANs of the durable block are unused; the next one
	// is state.nextSTAN minus stanLeft, counted round.
	stanLeft uint32
}

// Open opens or creates the journal and reads all of it. Errors are ErrCorrupt,
// ErrLocked, or those of the file system.
func Open(o Options) (*Journal, error) {
	if o.Key.Len() != macSize {
		return nil, fmt.Errorf("journal: the key has %d bytes, want %d", o.Key.Len(), macSize)
	}
	j := &Journal{key: o.Key, now: o.Now}
	open := o.OpenFile
	if open == nil {
		open = os.OpenFile
	}
	opts := &bolt.Options{
		Timeout: lockWait, NoSync: o.NoSync, FreelistType: bolt.FreelistMapType,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			f, err := open(name, flag, perm)
			j.file = f
			return f, err
		},
	}
	if err := j.guard(func() (err error) { j.db, err = bolt.Open(o.Path, 0o600, opts); return err }); err != nil {
		j.letGo()
		return nil, openError(err)
	}
	if err := j.guard(func() error { return j.load(o.Random) }); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), j.db.Close())
	}
	return j, nil
}

// letGo unlocks and closes a file that bbolt has left behind, as it does when a
// damaged page makes it panic. Its mapping, which holds the lock, stays until the
// process ends. Nothing was written, so no error of this counts.
func (j *Journal) letGo() {
	if j.file == nil {
		return
	}
	_ = unix.Flock(int(j.file.Fd()), unix.LOCK_UN)
	_ = j.file.Close()
}

// openError classifies what bbolt says when it cannot open the file.
func openError(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("journal: %w", ErrLocked)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("journal: %w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("journal: opening: %w", err)
}

// guard runs fn and turns what bbolt does with a damaged page (a panic, or a
// fault in the mapped file) into ErrCorrupt.
func (j *Journal) guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the file is not consistent", ErrCorrupt)
		}
	}()
	return fn()
}

// load reads and checks everything, or starts a new journal.
func (j *Journal) load(random io.Reader) error {
	fresh := false
	err := j.db.View(func(tx *bolt.Tx) error {
		fresh = tx.Bucket(bucketMeta) == nil && tx.Bucket(bucketLog) == nil
		return nil
	})
	if err != nil {
		return err
	}
	if fresh {
		if err := j.create(random); err != nil {
			return err
		}
	}
	return j.db.View(j.scan)
}

// create writes the epoch and the marks of an empty journal.
func (j *Journal) create(random io.Reader) error {
	var epoch [8]byte
	if _, err := io.ReadFull(random, epoch[:]); err != nil {
		return fmt.Errorf("drawing an epoch: %w", err)
	}
	return j.db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucket(bucketLog); err != nil {
			return err
		}
		meta, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		return errors.Join(meta.Put(keyEpoch, epoch[:]),
			meta.Put(keyBase, mark{}.encode(j.key, "base", epoch)),
			meta.Put(keyHead, mark{}.encode(j.key, "head", epoch)))
	})
}

// scan checks every record and folds it into the state.
func (j *Journal) scan(tx *bolt.Tx) error {
	meta, log := tx.Bucket(bucketMeta), tx.Bucket(bucketLog)
	if meta == nil || log == nil || len(meta.Get(keyEpoch)) != 8 {
		return fmt.Errorf("%w: a part of the file is missing", ErrCorrupt)
	}
	j.state = newFold([8]byte(meta.Get(keyEpoch)))
	var err error
	if j.base, err = decodeMark(j.key, "base", j.state.epoch, meta.Get(keyBase)); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	head, err := decodeMark(j.key, "head", j.state.epoch, meta.Get(keyHead))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	j.chain = chain{key: j.key, last: j.base.mac}
	j.last, j.state.base = j.base.number, j.base.number
	err = j.walk(log, j.base, func(r Record) error {
		j.last = r.Number
		if err := j.state.check(r); err != nil {
			return err
		}
		return j.state.apply(r)
	}, &j.chain)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if head.number != j.last || head.mac != j.chain.last {
		return fmt.Errorf("%w: it ends at record %d, its head says %d", ErrCorrupt, j.last, head.number)
	}
	return nil
}

// walk calls fn with every record after base, checked.
func (j *Journal) walk(log *bolt.Bucket, base mark, fn func(Record) error, c *chain) error {
	want := base.number + 1
	return log.ForEach(func(k, v []byte) error {
		if len(k) != 8 || binary.BigEndian.Uint64(k) != want {
			return fmt.Errorf("record %d is missing", want)
		}
		r, err := c.open(want, v)
		if err != nil {
			return err
		}
		want++
		return fn(r)
	})
}

// Close closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead == nil {
		j.dead = errors.New("journal: closed")
	}
	if err := j.db.Close(); err != nil {
		return fmt.Errorf("journal: closing: %w", err)
	}
	return nil
}

// append writes one record and its head in one transaction; mu is held. When it
// returns nil the record is durable and part of the state.
func (j *Journal) append(t Type, attempt uint64, body any) (Record, error) {
	if j.dead != nil {
		return Record{}, j.dead
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return Record{}, fmt.Errorf("journal: encoding a %v record: %w", t, err)
	}
	r := Record{Number: j.last + 1, Type: t, Attempt: attempt, At: j.now().UTC().Truncate(time.Microsecond), Body: encoded}
	if len(encoded) > maxRecordBytes-headerSize-macSize {
		return Record{}, fmt.Errorf("journal: a %v record has %d bytes", t, len(encoded))
	}
	if err := j.state.check(r); err != nil {
		return Record{}, fmt.Errorf("journal: refused to write a %w", err)
	}
	next := j.chain
	sealed := next.seal(r)
	head := mark{number: r.Number, mac: next.last}.encode(j.key, "head", j.state.epoch)
	var k [8]byte
	binary.BigEndian.PutUint64(k[:], r.Number)
	err = j.guard(func() error {
		return j.db.Update(func(tx *bolt.Tx) error {
			return errors.Join(tx.Bucket(bucketLog).Put(k[:], sealed), tx.Bucket(bucketMeta).Put(keyHead, head))
		})
	})
	if err != nil {
		j.dead = fmt.Errorf("journal: writing a %v record: %w: %w", t, ErrUnknown, err)
		return Record{}, j.dead
	}
	j.chain, j.last = next, r.Number
	if err := j.state.apply(r); err != nil {
		panic("journal: a checked record does not apply: " + err.Error())
	}
	return r, nil
}
