package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"tallystick.example/internal/pure/secret"
)

var testKey = secret.New(bytes.Repeat([]byte{7}, 32))

func options(path string) Options {
	return Options{Path: path, Key: testKey, Random: rand.Reader, NoSync: true,
		Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}
}

func open(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(options(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sale(name string) Begin {
	return Begin{Sale: name, Kind: "purchase", MTI: "0200", Processing: "000000", Amount: 1234, Currency: 978}
}

// approve writes a whole approved attempt.
func approve(t *testing.T, j *Journal, name string) Attempt {
	t.Helper()
	a := must[Attempt](t)(j.Begin(sale(name)))
	ok(t, j.Intent(a.Number, Intent{Counter: uint32(a.Number)}))
	ok(t, j.Outcome(a.Number, Outcome{End: EndApproved, RC: "00", RRN: "000000000001"}))
	return a
}

func TestReopenRestoresEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	done := approve(t, j, "one")
	lost := must[Attempt](t)(j.Begin(sale("two")))
	ok(t, j.UseKey(lost.Number, KeyUse{Counter: 41, For: "0200"}))
	ok(t, j.Intent(lost.Number, Intent{Counter: 41, EntryMode: "051"}))
	never := must[Attempt](t)(j.Begin(sale("three")))
	rev := must[Attempt](t)(j.Begin(sale("four")))
	ok(t, j.Intent(rev.Number, Intent{Counter: 42}))
	ok(t, j.Outcome(rev.Number, Outcome{End: EndReversing, Reason: "no answer"}))
	ok(t, j.Sent(rev.Number, Sent{Counter: 43, Try: 1}))
	for _, c := range []Checkpoint{{Node: "n1", Count: 7}, {Node: "n2", Count: 3}, {Node: "n1", Count: 9, Head: "0102", Signature: "03"}} {
		ok(t, j.Checkpoint(c))
	}
	epoch := j.Epoch()
	ok(t, j.Close())

	j = open(t, path)
	if j.Epoch() != epoch {
		t.Error("the epoch changed")
	}
	if a, found := j.Find("one"); !found || a.End() != EndApproved || a.ID != done.ID || a.Outcome.RRN != "000000000001" {
		t.Errorf("one = %+v, %v", a, found)
	}
	open := j.Unfinished()
	if len(open) != 3 || open[0].Number != lost.Number || open[1].Number != never.Number || open[2].Number != rev.Number {
		t.Fatalf("unfinished: %+v", open)
	}
	if !open[0].OwesReversal() || open[1].OwesReversal() || !open[2].OwesReversal() || open[2].Tries != 1 {
		t.Errorf("what is owed: %+v", open)
	}
	if _, c := j.Counter(); c != 43 {
		t.Errorf("highest counter %d, want 43", c)
	}
	wantCheckpoints(t, j)
}

// wantCheckpoints: the newest of each node is there, as host audit verify reads it.
func wantCheckpoints(t *testing.T, j *Journal) {
	t.Helper()
	const want = `{"node":"n2","boot":0,"count":3,"head":"","signature":""}
{"node":"n1","boot":0,"count":9,"head":"0102","signature":"03"}
`
	var b bytes.Buffer
	ok(t, j.Checkpoints(&b))
	if b.String() != want {
		t.Errorf("checkpoints %s, want %s", b.String(), want)
	}
}

// TestCheckpointsSurvivePruning: what a snapshot carries on is the newest of each
// node, of at most maxNodes.
func TestCheckpointsSurvivePruning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	for i := range maxNodes + 5 {
		ok(t, j.Checkpoint(Checkpoint{Node: fmt.Sprintf("old%d", i), Count: 1}))
	}
	for i := range maxNodes {
		ok(t, j.Checkpoint(Checkpoint{Node: fmt.Sprintf("n%d", i), Count: uint64(i)}))
	}
	for i := range 30 {
		approve(t, j, fmt.Sprint(i))
	}
	ok(t, j.Confirm(Confirmed{Attempts: numbers(j.Unconfirmed(30))}))
	if n := must[uint64](t)(j.Prune(5)); n == 0 {
		t.Fatal("nothing was pruned")
	}
	ok(t, j.Close())
	j = open(t, path)
	var b bytes.Buffer
	ok(t, j.Checkpoints(&b))
	if n := bytes.Count(b.Bytes(), []byte("\n")); n != maxNodes || bytes.Contains(b.Bytes(), []byte("old")) {
		t.Errorf("%d checkpoints: %s", n, b.String())
	}
}

func numbers(list []Attempt) (n []uint64) {
	for _, a := range list {
		n = append(n, a.Number)
	}
	return n
}

func TestAttemptIdentity(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	a, b := approve(t, j, "one"), approve(t, j, "two")
	e := j.Epoch()
	for _, x := range []Attempt{a, b} {
		if !bytes.Equal(x.ID[:8], e[:]) || binary.BigEndian.Uint64(x.ID[8:]) != x.Number {
			t.Errorf("attempt id %x, want epoch %x and number %d", x.ID, e, x.Number)
		}
	}
	if a.ID == b.ID {
		t.Error("two attempts have one identity")
	}
}

func TestOneIntentOneOutcomeOneEnd(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	a := must[Attempt](t)(j.Begin(sale("x")))
	for name, err := range map[string]error{
		"a reversal of what was never sent": j.Outcome(a.Number, Outcome{End: EndReversing}),
		"an end that is no end":             j.Outcome(a.Number, Outcome{End: EndOpen}),
		"a closing without a reversal":      j.CloseReversal(a.Number, Closed{RC: "00"}),
		"an unknown attempt":                j.Intent(a.Number+7, Intent{}),
		"no attempt":                        j.Intent(0, Intent{}),
	} {
		if err == nil {
			t.Errorf("%s was written", name)
		}
	}
	ok(t, j.Intent(a.Number, Intent{}))
	if j.Intent(a.Number, Intent{}) == nil {
		t.Error("a second intent was written: a 0200 would be sent twice")
	}
	ok(t, j.Outcome(a.Number, Outcome{End: EndReversing}))
	if j.Outcome(a.Number, Outcome{End: EndApproved}) == nil {
		t.Error("a second outcome was written")
	}
	ok(t, j.CloseReversal(a.Number, Closed{RC: "00"}))
	if j.CloseReversal(a.Number, Closed{RC: "00"}) == nil {
		t.Error("a reversal was closed twice")
	}
	if x, _ := j.Find("x"); x.End() != EndReversed || !x.Final() {
		t.Errorf("end = %v", x.End())
	}
}

func TestSTANsAreNeverReused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	seen := map[uint32]bool{}
	take := func(n uint32) {
		t.Helper()
		if n < 1 || n > maxSTAN || seen[n] {
			t.Fatalf("STAN %d handed out twice or out of range", n)
		}
		seen[n] = true
	}
	for range 5 {
		j := open(t, path)
		for range 10 {
			a := must[Attempt](t)(j.Begin(sale("")))
			take(a.Begin.STAN)
			take(a.Begin.ReversalSTAN)
			take(must[uint32](t)(j.STAN()))
		}
		ok(t, j.Close())
	}
}

func TestSTANWrapsToOne(t *testing.T) {
	if got := advanceSTAN(maxSTAN, 1); got != 1 {
		t.Errorf("after 999999 comes %d", got)
	}
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	j.state.nextSTAN = maxSTAN - 1
	var got []uint32
	for range 4 {
		got = append(got, must[uint32](t)(j.STAN()))
	}
	if fmt.Sprint(got) != "[999998 999999 1 2]" {
		t.Errorf("round the end: %v", got)
	}
}

// edit changes the raw file behind the journal's back.
func edit(t *testing.T, path string, fn func(log, meta *bolt.Bucket) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	ok(t, err)
	ok(t, db.Update(func(tx *bolt.Tx) error { return fn(tx.Bucket(bucketLog), tx.Bucket(bucketMeta)) }))
	ok(t, db.Close())
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func TestEveryAlterationStopsSales(t *testing.T) {
	flip := func(b []byte, at int) []byte {
		c := append([]byte(nil), b...)
		c[at] ^= 1
		return c
	}
	for name, change := range map[string]func(log, meta *bolt.Bucket) error{
		"type":      func(log, _ *bolt.Bucket) error { return log.Put(number(3), flip(log.Get(number(3)), 1)) },
		"attempt":   func(log, _ *bolt.Bucket) error { return log.Put(number(3), flip(log.Get(number(3)), 9)) },
		"time":      func(log, _ *bolt.Bucket) error { return log.Put(number(3), flip(log.Get(number(3)), 15)) },
		"body":      func(log, _ *bolt.Bucket) error { return log.Put(number(2), flip(log.Get(number(2)), headerSize+20)) },
		"removed":   func(log, _ *bolt.Bucket) error { return log.Delete(number(3)) },
		"first":     func(log, _ *bolt.Bucket) error { return log.Delete(number(1)) },
		"newest":    func(log, _ *bolt.Bucket) error { return log.Delete(number(4)) },
		"moved":     func(log, _ *bolt.Bucket) error { return log.Put(number(3), log.Get(number(4))) },
		"added":     func(log, _ *bolt.Bucket) error { return log.Put(number(5), log.Get(number(4))) },
		"truncated": func(log, _ *bolt.Bucket) error { return log.Put(number(4), log.Get(number(4))[:20]) },
		"head":      func(_, meta *bolt.Bucket) error { return meta.Put(keyHead, flip(meta.Get(keyHead), 7)) },
		"base":      func(_, meta *bolt.Bucket) error { return meta.Put(keyBase, flip(meta.Get(keyBase), 7)) },
		"epoch":     func(_, meta *bolt.Bucket) error { return meta.Put(keyEpoch, flip(meta.Get(keyEpoch), 0)) },
		"no epoch":  func(_, meta *bolt.Bucket) error { return meta.Delete(keyEpoch) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			j := open(t, path)
			approve(t, j, "one") // records 1 (STANs) to 4
			ok(t, j.Close())
			edit(t, path, change)
			if _, err := Open(options(path)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("opened after a change: %v", err)
			}
		})
	}
	t.Run("another key", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "journal")
		ok(t, open(t, path).Close())
		o := options(path)
		o.Key = secret.New(bytes.Repeat([]byte{8}, 32))
		if _, err := Open(o); !errors.Is(err, ErrCorrupt) {
			t.Errorf("opened with another key: %v", err)
		}
	})
}

func TestDamagedFileNeverPanics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	for i := range 40 {
		approve(t, j, fmt.Sprint(i))
	}
	used := must[int64](t)(j.usedBytes())
	ok(t, j.Close())
	whole := must[[]byte](t)(os.ReadFile(path))
	page := int64(os.Getpagesize())
	for at := 2 * page; at < used; at += page / 2 { // pages 0 and 1 are bbolt's own checked ones
		damaged := bytes.Clone(whole)
		for i := at; i < at+64; i++ {
			damaged[i] = 0xFF
		}
		ok(t, os.WriteFile(path, damaged, 0o600))
		j, err := Open(options(path))
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("damage at %d: %v", at, err)
		}
		if err == nil { // a page that nothing refers to
			if a, found := j.Find("39"); !found || a.End() != EndApproved {
				t.Errorf("damage at %d changed what the journal says", at)
			}
			ok(t, j.Close())
		}
	}
	ok(t, os.WriteFile(path, whole[:used/2], 0o600))
	if _, err := Open(options(path)); err == nil {
		t.Error("half a file was opened")
	}
}

func TestFailedCommitIsUnknownForEver(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	a := must[Attempt](t)(j.Begin(sale("x")))
	ok(t, j.file.Close()) // every write from now on fails
	if err := j.Intent(a.Number, Intent{}); !errors.Is(err, ErrUnknown) {
		t.Fatalf("a failed commit gave %v", err)
	}
	if err := j.Outcome(a.Number, Outcome{End: EndCancelled}); !errors.Is(err, ErrUnknown) {
		t.Errorf("the journal went on after a failed commit: %v", err)
	}
	if err := j.Room(); !errors.Is(err, ErrUnknown) {
		t.Errorf("Room = %v", err)
	}
	if x, _ := j.Find("x"); x.Intent != nil {
		t.Error("an unknown record is part of the state")
	}
}

// TestFullDiskKeepsRoomForReversals fills the disk (a limit on the size of
// files, which fallocate and write obey) and checks that a new sale is refused
// while everything that is owed can still be written.
func TestFullDiskKeepsRoomForReversals(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	var owed []Attempt
	for range 20 {
		a := must[Attempt](t)(j.Begin(sale("")))
		ok(t, j.Intent(a.Number, Intent{}))
		owed = append(owed, a)
	}
	info := must[os.FileInfo](t)(j.file.Stat())
	var old unix.Rlimit
	ok(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	signal.Ignore(unix.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(unix.SIGXFSZ) })
	ok(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(info.Size()), Max: old.Max}))
	t.Cleanup(func() { ok(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old)) })

	begun := 0
	for {
		a, err := j.Begin(sale(""))
		if errors.Is(err, ErrNoRoom) {
			break
		}
		ok(t, err)
		ok(t, j.Outcome(a.Number, Outcome{End: EndCancelled}))
		if begun++; begun > 10_000 {
			t.Fatal("the disk never became full")
		}
	}
	for _, a := range owed {
		ok(t, j.Outcome(a.Number, Outcome{End: EndReversing, Reason: "no answer"}))
		for try := range 10 {
			ok(t, j.Sent(a.Number, Sent{Counter: 1, Try: try + 1}))
		}
		ok(t, j.CloseReversal(a.Number, Closed{RC: "00"}))
	}
	if err := j.Room(); !errors.Is(err, ErrNoRoom) {
		t.Errorf("Room = %v after the reserve was used", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	open(t, path)
	if _, err := Open(options(path)); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
}

func TestExport(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	approve(t, j, "one")
	a := must[Attempt](t)(j.Begin(sale("two")))
	ok(t, j.Intent(a.Number, Intent{}))
	ok(t, j.Outcome(a.Number, Outcome{End: EndReversing, RC: "00"}))
	var out strings.Builder
	ok(t, j.Export(&out, "TERM0001"))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	var first, second map[string]any
	ok(t, json.Unmarshal([]byte(lines[0]), &first))
	ok(t, json.Unmarshal([]byte(lines[1]), &second))
	for k, want := range map[string]any{"source": "agent", "kind": "attempt", "terminal": "TERM0001", "sale": "one", "mti": "0200",
		"stan": "000001", "rrn": "000000000001", "amount": 1234.0, "currency": "978", "end": "approved", "rc": "00"} {
		if first[k] != want {
			t.Errorf("%s = %v, want %v", k, first[k], want)
		}
	}
	if second["end"] != "open" {
		t.Errorf("an unacknowledged reversal is exported as %v", second["end"])
	}
}

// confirmAll tells the host of every approval.
func confirmAll(t *testing.T, j *Journal) {
	t.Helper()
	for list := j.Unconfirmed(8); len(list) > 0; list = j.Unconfirmed(8) {
		var c Confirmed
		for _, a := range list {
			c.Attempts = append(c.Attempts, a.Number)
		}
		ok(t, j.Confirm(c))
	}
}

func TestApprovalsWaitForConfirmation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	a, b := approve(t, j, "one"), approve(t, j, "two")
	ok(t, j.Confirm(Confirmed{Attempts: []uint64{a.Number}}))
	ok(t, j.Close())
	j = open(t, path)
	if list := j.Unconfirmed(8); len(list) != 1 || list[0].ID != b.ID {
		t.Errorf("unconfirmed: %+v", list)
	}
}

func TestPruneKeepsTheChainAndWhatIsOwed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	ok(t, j.KeyLoad(KeyLoad{Set: "0011", Scheme: "aes"}))
	for i := range 30 {
		approve(t, j, fmt.Sprint(i))
	}
	owed := must[Attempt](t)(j.Begin(sale("owed")))
	ok(t, j.Intent(owed.Number, Intent{}))
	for i := range 30 {
		approve(t, j, fmt.Sprint("b", i))
	}
	confirmAll(t, j)
	_, counter := j.Counter()
	stan := must[uint32](t)(j.STAN())
	removed, err := j.Prune(20)
	ok(t, err)
	if removed == 0 || removed >= owed.Number {
		t.Errorf("removed %d records, the owed attempt is number %d", removed, owed.Number)
	}
	ok(t, j.Close())
	j = open(t, path)
	if len(j.Unfinished()) != 1 || j.Unfinished()[0].Number != owed.Number {
		t.Error("the owed reversal is gone")
	}
	if set, c := j.Counter(); set != "0011" || c != counter {
		t.Errorf("key set %q, counter %d after pruning, want 0011, %d", set, c, counter)
	}
	if next := must[uint32](t)(j.STAN()); next <= stan {
		t.Errorf("STAN %d after %d", next, stan)
	}
	ok(t, j.Outcome(owed.Number, Outcome{End: EndReversing}))
	ok(t, j.CloseReversal(owed.Number, Closed{RC: "00"}))
	if _, err := j.Prune(20); err != nil {
		t.Fatal(err)
	}
	ok(t, j.Close())
	open(t, path)
}
