package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tallystick.example/host/app"
)

// TestMain lets the test binary be the boundary that the host starts from its own
// file, and a host that a test can kill.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && (os.Args[1] == "hsm" || os.Args[1] == "serve") {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		code := app.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// A lab is a host in a directory of its own.
type lab struct {
	t      testing.TB
	dir    string
	config string
	addr   string
	logs   *syncBuffer
	stop   func() int
}

// syncBuffer collects logs of several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newLab makes a host. Its directory has a short path, since sockets lie in it.
func newLab(t testing.TB) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{t: t, dir: dir, config: filepath.Join(dir, "h", "host.yaml"), logs: &syncBuffer{}}
	l.run("init", "--dir", filepath.Join(dir, "h"), "--lab", "--listen", "127.0.0.1:0")
	return l
}

// set changes lines of the configuration.
func (l *lab) set(old, new string) {
	l.t.Helper()
	b, err := os.ReadFile(l.config)
	if err != nil {
		l.t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		l.t.Fatalf("the configuration does not contain %q", old)
	}
	l.write(l.config, strings.Replace(string(b), old, new, 1))
}

func (l *lab) write(path, text string) {
	l.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// file writes a secret for a command and returns its path.
func (l *lab) file(name, text string) string {
	path := filepath.Join(l.dir, name)
	l.write(path, text)
	return path
}

// try runs a command.
func (l *lab) try(args ...string) (stdout, stderr string, code int) {
	l.t.Helper()
	if args[0] != "init" {
		args = append(args, "--config", l.config)
	}
	var out, errs bytes.Buffer
	code = app.Main(context.Background(), args, &out, &errs)
	return out.String(), errs.String(), code
}

// run runs a command that must succeed.
func (l *lab) run(args ...string) string {
	l.t.Helper()
	out, errs, code := l.try(args...)
	if code != 0 {
		l.t.Fatalf("host %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// lines decodes JSON lines.
func lines[T any](t testing.TB, text string) []T {
	t.Helper()
	var out []T
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		var v T
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		out = append(out, v)
	}
	return out
}

// serve starts the host and returns when it listens. The host is stopped at the
// end of the test, or by l.stop.
func (l *lab) serve() {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := app.Main(ctx, []string{"serve", "--json", "--config", l.config}, w, l.logs)
		w.Close()
		ended <- code
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		cancel()
		l.t.Fatalf("the host did not start: exit code %d\n%s", <-ended, l.logs)
	}
	var ready struct{ Listen string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		l.t.Fatal(err)
	}
	l.addr = ready.Listen
	var once sync.Once
	code := 0
	l.stop = func() int {
		once.Do(func() { cancel(); code = <-ended })
		return code
	}
	l.t.Cleanup(func() {
		if code := l.stop(); code != 0 {
			l.t.Errorf("the host ended with exit code %d\n%s", code, l.logs)
		}
	})
}

// A tx is what host tx --json shows.
type tx struct {
	STAN, RRN, Terminal, Attempt, State, RC, Filed, Why string
	MAC, PIN, ARQC, ARPC                                string
	Amount                                              int64
	Score                                               int
	Reasons                                             []struct{ Rule, Code string }
	RulesVersion                                        string `json:"rules_version"`
	Confirmed                                           int64
}

func (l *lab) txs(filter ...string) []tx {
	l.t.Helper()
	return lines[tx](l.t, l.run(append([]string{"tx", "--json"}, filter...)...))
}

// An entry is a line of an export.
type entry struct {
	Source, Kind, RRN, Terminal, Attempt, State, RC, Account, Template string
	Amount, Minor                                                      int64
}

// books reads both exports.
func (l *lab) books() (host, issuer []entry) {
	l.t.Helper()
	return lines[entry](l.t, l.run("ledger", "export")), lines[entry](l.t, l.run("issuer", "export"))
}

// sound proves ledger, issuer's book, and that the two books agree: what the
// acquirer is owed is what the issuer took from its cards.
func (l *lab) sound(want int64) {
	l.t.Helper()
	l.run("ledger", "check")
	l.run("issuer", "check")
	host, issuer := l.books()
	var owed, taken int64
	for _, e := range host {
		if strings.HasPrefix(e.Account, "acquirer:receivable:") {
			owed += e.Minor
		}
	}
	for _, e := range issuer {
		if strings.HasPrefix(e.Account, "due:acquirer") {
			taken += e.Minor
		}
	}
	if owed != want || taken != want {
		l.t.Errorf("the acquirer is owed %d, the issuer took %d, want %d", owed, taken, want)
	}
}
