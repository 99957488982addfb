package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// childEnv holds the database of a child process of these tests, and what it
// is to suffer.
const childEnv = "TALLYSTICK_TEST_CHILD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		path, fate, _ := strings.Cut(spec, "|")
		child(path, fate)
	}
	os.Exit(m.Run())
}

// child writes items from eight goroutines and prints "acked ID" for each that
// was answered, until it is killed or its store ends.
func child(path, fate string) {
	st, err := store.Open(context.Background(), store.Config{Path: path, Node: "n1", Sets: sets(), Fatal: func(err error) {
		fmt.Println("fatal", err)
		os.Exit(3)
	}})
	if err != nil {
		fmt.Println("open", err)
		os.Exit(1)
	}
	if fate == "limit" {
		// Writing beyond 1 MiB of any file fails from now on, as on a dying disk.
		signal.Ignore(syscall.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
			fmt.Println("setrlimit", err)
			os.Exit(1)
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%06d", g, i)
				if err := st.Do(context.Background(), "child", insert(id, int64(i))); err != nil {
					return
				}
				mu.Lock()
				fmt.Println("acked", id)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	os.Exit(2)
}

// outcome is what a child said.
type outcome struct {
	acked []string
	fatal string
	code  int
}

// run starts a child on path; after kill acknowledgements it is killed (0: never).
func run(t *testing.T, path, fate string, kill int) outcome {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path+"|"+fate)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var o outcome
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "acked":
			o.acked = append(o.acked, rest)
		default:
			o.fatal += lines.Text()
		}
		if len(o.acked) == kill && kill > 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the child ended with %v: %s", err, o.fatal)
	}
	o.code = exit.ExitCode()
	return o
}

// missing counts the acked items that a store does not hold.
func missing(t testing.TB, path string, acked []string) (n int) {
	t.Helper()
	st := storetest.Open(t, store.Config{Path: path, Node: "n1", Sets: sets(), Fatal: func(err error) { t.Error(err) }, ReserveMiB: 1})
	stored := ids(t, st)
	for _, id := range acked {
		if _, ok := stored[id]; !ok {
			n++
		}
	}
	if err := st.Close(); err != nil { // so that the same file can be asked again
		t.Error(err)
	}
	return n
}

func TestKilledProcessKeepsWhatItAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	var acked []string
	for round := range 3 {
		kill := 200 + 137*round
		o := run(t, path, "kill", kill)
		if o.fatal != "" || len(o.acked) < kill {
			t.Fatalf("%+v", o.fatal)
		}
		acked = o.acked
		if n := missing(t, path, acked); n != 0 {
			t.Errorf("%d of %d answered items are lost", n, len(acked))
		}
		path = filepath.Join(t.TempDir(), "host.db")
	}
}

// TestIOErrorEndsTheProcess lets the file system refuse to write: the process
// ends by Fatal, and what it answered before is there.
func TestIOErrorEndsTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.db")
	o := run(t, path, "limit", 0)
	if o.code != 3 || !strings.Contains(o.fatal, "fatal store: ") || len(o.acked) == 0 {
		t.Fatalf("exit %d after %d items: %s", o.code, len(o.acked), o.fatal)
	}
	if n := missing(t, path, o.acked); n != 0 {
		t.Errorf("%d of %d answered items are lost", n, len(o.acked))
	}
}

// TestACopyHoldsWhatWasAnswered copies the file and its WAL at random moments
// between two transactions and expects every answered item in the copy, and
// nothing of a batch that was not committed.
func TestACopyHoldsWhatWasAnswered(t *testing.T) {
	base := t.TempDir()
	path := filepath.Join(base, "host.db")
	st := storetest.Open(t, store.Config{Path: path, Node: "n1", Sets: sets(), Fatal: func(err error) { t.Error(err) }, ReserveMiB: -1})
	round := 0
	var acked []string
	rapid.Check(t, func(rt *rapid.T) {
		round++
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range rapid.IntRange(1, 30).Draw(rt, "items") {
			wg.Go(func() {
				id := fmt.Sprintf("%d-%d", round, i)
				if err := st.Do(context.Background(), "item", insert(id, 1)); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				acked = append(acked, id)
			})
		}
		dir := t.TempDir()
		var known []string
		err := st.Do(context.Background(), "copy", func(tx *store.Tx) error {
			mu.Lock()
			known = append(known[:0], acked...)
			mu.Unlock()
			if err := insert(fmt.Sprintf("open-%d", round), 1)(tx); err != nil {
				return err
			}
			return copyFiles(path, filepath.Join(dir, "host.db"))
		})
		if err != nil {
			rt.Fatal(err)
		}
		wg.Wait()
		if n := missing(t, filepath.Join(dir, "host.db"), known); n != 0 {
			rt.Fatalf("%d of %d answered items are not in the copy", n, len(known))
		}
		if n := missing(t, filepath.Join(dir, "host.db"), []string{fmt.Sprintf("open-%d", round)}); n != 1 {
			rt.Fatal("the copy holds an item that was not committed")
		}
	})
}

// copyFiles copies a database as a power loss would leave it: the file and its
// WAL, not the shared memory.
func copyFiles(from, to string) error {
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
