package disk_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"

	"tallystick.example/simulator/fault/disk"
)

// childKey names the engine that a child process of the test runs, on the file
// named by its first argument: a database maps its files into memory, which the
// process that serves them must not do.
const childKey = "BAD_DISK_TEST_ENGINE"

func TestMain(m *testing.M) {
	name, ok := os.LookupEnv(childKey)
	if !ok {
		os.Exit(m.Run())
	}
	if err := engines[name].run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		os.Exit(1)
	}
}

// commits is how many commits a child makes. After each it writes its number
// and waits for a line.
const commits = 8

// An engine is a database as a program uses it, and how many commits of it an
// image holds (0 where it cannot be opened).
type engine struct {
	run   func(path string) error
	count func(path string) int
	kind  bool // loses nothing to a power cut
}

var engines = map[string]engine{
	"bbolt":          {run: func(p string) error { return runBbolt(p, false) }, count: countBbolt, kind: true},
	"bbolt no sync":  {run: func(p string) error { return runBbolt(p, true) }, count: countBbolt},
	"sqlite":         {run: func(p string) error { return runSQLite(p, "FULL") }, count: countSQLite, kind: true},
	"sqlite no sync": {run: func(p string) error { return runSQLite(p, "OFF") }, count: countSQLite},
}

// TestEnginesKeepTheirPromise commits to real databases on the disk and cuts the
// power after each operation: what was acknowledged must be there. Without syncs
// something must be lost, or the disk is too kind.
func TestEnginesKeepTheirPromise(t *testing.T) {
	for name, e := range engines {
		t.Run(name, func(t *testing.T) {
			images, lost := powerCuts(t, name, e)
			if images < 3*commits {
				t.Errorf("only %d images", images)
			}
			if e.kind != (lost == 0) {
				t.Errorf("%d of %d images lost a commit", lost, images)
			}
		})
	}
}

// powerCuts runs a child on a disk, takes an image after every operation and
// counts those that lack an acknowledged commit.
func powerCuts(t *testing.T, name string, e engine) (images, lost int) {
	backing, at, tmp := t.TempDir(), t.TempDir(), t.TempDir()
	var acked atomic.Int64
	var d *disk.Disk
	var mu sync.Mutex
	var wants []int64
	cut := func() {
		mu.Lock()
		defer mu.Unlock()
		if acked.Load() == 0 {
			return // the file is still being made
		}
		err := d.PowerLoss(filepath.Join(tmp, fmt.Sprint(len(wants))), rand.New(rand.NewPCG(uint64(len(wants)), 7)).IntN)
		if err != nil {
			t.Error(err)
		}
		wants = append(wants, acked.Load())
	}
	d, err := disk.Mount(backing, at, disk.Options{
		Volatile: func(p string) bool { return strings.HasSuffix(p, "-shm") },
		Hook:     func(disk.Event) disk.Verdict { return disk.Verdict{After: cut} },
	})
	must(t, err)
	defer func() { must(t, d.Unmount()) }()
	must(t, child(name, filepath.Join(at, "db"), func() { acked.Add(1) }))
	if acked.Load() != commits {
		t.Fatalf("%d commits", acked.Load())
	}
	mu.Lock()
	defer mu.Unlock()
	for i, want := range wants {
		if int64(e.count(filepath.Join(tmp, fmt.Sprint(i), "db"))) < want {
			lost++
		}
	}
	return len(wants), lost
}

// child runs an engine in a process of its own.
func child(name, path string, acked func()) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, path)
	cmd.Env = append(os.Environ(), childKey+"="+name)
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		acked()
		if _, err := fmt.Fprintln(in); err != nil {
			break // it has ended; Wait says why
		}
	}
	return errors.Join(lines.Err(), cmd.Wait())
}

// eachCommit calls commit and tells the parent.
func eachCommit(commit func(i int) error) error {
	answers := bufio.NewScanner(os.Stdin)
	for i := range commits {
		if err := commit(i); err != nil {
			return err
		}
		fmt.Println(i)
		if !answers.Scan() {
			return errors.New("the parent has gone")
		}
	}
	return nil
}

func runBbolt(path string, noSync bool) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: noSync})
	if err != nil {
		return err
	}
	return errors.Join(eachCommit(func(i int) error {
		return db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return b.Put(fmt.Appendf(nil, "%02d", i), bytes.Repeat([]byte{byte(i)}, 600))
		})
	}), db.Close())
}

func countBbolt(path string) (n int) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			n = 0 // bbolt panics on a page that is torn
		}
	}()
	if _, err := os.Stat(path); err != nil {
		return 0
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return 0
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("b"))
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, v []byte) error { n++; return nil })
	})
	if err != nil {
		return 0
	}
	return n
}

func openSQLite(path, synchronous string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")")
}

func runSQLite(path, synchronous string) error {
	db, err := openSQLite(path, synchronous)
	if err != nil {
		return err
	}
	if _, err := db.Exec("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)"); err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(eachCommit(func(i int) error {
		if i == commits/2 { // the log is folded into the file, and begins anew
			if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				return err
			}
		}
		_, err := db.Exec("INSERT INTO t VALUES (?, ?)", i, bytes.Repeat([]byte{byte(i)}, 600))
		return err
	}), db.Close())
}

func countSQLite(path string) int {
	db, err := openSQLite(path, "FULL")
	if err != nil {
		return 0
	}
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		return 0
	}
	return n
}
