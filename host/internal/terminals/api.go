// Package terminals holds who may talk to the host: terminals, certificates, key
// sets and their counters, and the host's own named keys.
package terminals

import (
	"errors"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

var errSkeleton = errors.New("terminals: under construction")

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("terminals: not registered")
	ErrExists   = errors.New("terminals: registered already")
)

// Status of a terminal, certificate or key set.
type Status string

// States.
const (
	Active  Status = "active"
	Blocked Status = "blocked"
	Retired Status = "retired"
)

// A Terminal is a registered card acceptor terminal.
type Terminal struct {
	ID       string // DE 41, 8 characters
	Merchant string // DE 42, 15 characters
	Status   Status
	Since    int64 // microseconds UTC of the last change of status
}

// A Set is a registered key set of a terminal with its counter.
type Set struct {
	api.KeySet
	Status  Status // retired: only stored advices and reversals
	Highest int64  // highest counter seen, -1 before the first
}

// A Verdict is what CheckCounter found.
type Verdict string

// Verdicts of CheckCounter.
const (
	Fresh       Verdict = "fresh"        // never seen, now stored
	SameMessage Verdict = "same_message" // the same bytes again
	Refused     Verdict = "refused"      // another message under a used counter, or below the window: DE 39 = 63 and an alarm
)

// Window is how far below the highest counter a message may still come.
const Window = 1024

// Migrations are the tables of this package.
func Migrations() store.Set { return store.Set{} }

// Register adds a terminal, or answers ErrExists.
func Register(tx *store.Tx, t Terminal) error { return errSkeleton }

// Get reads one terminal, or ErrNotFound.
func Get(q store.Querier, id string) (Terminal, error) { return Terminal{}, errSkeleton }

// All reads all terminals in order of ID.
func All(q store.Querier) ([]Terminal, error) { return nil, errSkeleton }

// SetStatus changes a terminal's status, or answers ErrNotFound.
func SetStatus(tx *store.Tx, id string, s Status, at int64) error { return errSkeleton }

// AddCertificate registers a certificate by the SHA-256 of its DER form.
func AddCertificate(tx *store.Tx, id string, fingerprint []byte, notAfter int64) error {
	return errSkeleton
}

// RevokeCertificate makes a certificate unusable for ever.
func RevokeCertificate(tx *store.Tx, fingerprint []byte) error { return errSkeleton }

// ByCertificate gives the terminal of an active certificate, or ErrNotFound.
func ByCertificate(q store.Querier, fingerprint []byte) (Terminal, error) {
	return Terminal{}, errSkeleton
}

// AddKeySet registers a key set.
func AddKeySet(tx *store.Tx, id string, set api.KeySet) error { return errSkeleton }

// RetireKeySet leaves a set valid for stored advices and reversals only.
func RetireKeySet(tx *store.Tx, id string, setID []byte) error { return errSkeleton }

// DropRetired removes a terminal's retired sets, once it reported empty queues.
func DropRetired(tx *store.Tx, id string) error { return errSkeleton }

// KeySets reads the sets of a terminal, active first.
func KeySets(q store.Querier, id string) ([]Set, error) { return nil, errSkeleton }

// CheckCounter applies rule 8 to one received message and stores the counter
// with the digest in the commit of tx. An unknown set is ErrNotFound.
func CheckCounter(tx *store.Tx, id string, setID []byte, counter uint32, digest [32]byte) (Verdict, error) {
	return Refused, errSkeleton
}

// CheckStoredData tells whether card data of a stored advice may come under
// counter: any that the set has reached.
func CheckStoredData(tx *store.Tx, id string, setID []byte, counter uint32) (bool, error) {
	return false, errSkeleton
}

// A HostKey is a named key of the host.
type HostKey struct {
	Name  string // such as "bdk.aes.1", "issuer.imk"
	Key   api.Key
	Label string // for people
	Since int64
}

// PutKey stores a key under a new name, or answers ErrExists.
func PutKey(tx *store.Tx, k HostKey) error { return errSkeleton }

// GetKey reads a key, or ErrNotFound.
func GetKey(q store.Querier, name string) (HostKey, error) { return HostKey{}, errSkeleton }

// Keys reads all keys in order of name.
func Keys(q store.Querier) ([]HostKey, error) { return nil, errSkeleton }
