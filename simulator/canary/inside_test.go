package canary_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// pack puts b through a compressor.
func pack(t testing.TB, b []byte, with func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var out bytes.Buffer
	w := with(&out)
	_, err := w.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func gz(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
func zl(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("entry")
	must(t, err)
	_, err = f.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

// TestCompressed finds a PIN inside streams, nested ones, broken ones, and ones
// that begin anywhere.
func TestCompressed(t *testing.T) {
	text := []byte(strings.Repeat("some text that is worth compressing, ", 50) + pin + strings.Repeat(" and more of it", 50))
	broken := pack(t, append(text, make([]byte, 4<<10)...), gz)
	for name, b := range map[string][]byte{
		"gzip":            pack(t, text, gz),
		"zlib":            pack(t, text, zl),
		"zip":             zipped(t, text),
		"gzip in zip":     zipped(t, pack(t, text, gz)),
		"zlib in gzip":    pack(t, append([]byte("xyz"), pack(t, text, zl)...), gz),
		"behind bytes":    append(bytes.Repeat([]byte{0x78, 1, 2}, 999), pack(t, text, zl)...),
		"across a chunk":  append(make([]byte, 256<<10-2), pack(t, text, gz)...),
		"two members":     append(pack(t, []byte("first"), gz), pack(t, text, gz)...),
		"a broken stream": broken[:len(broken)-20],
	} {
		if bytes.Contains(b, []byte(pin)) {
			t.Fatalf("%s: the PIN is in clear, so nothing is tested", name)
		}
		r := scan(t, b)
		if !slices.Contains(r.Secrets(), "pin") {
			t.Errorf("%s: not found", name)
		} else if r.Findings[0].Inside == "" {
			t.Errorf("%s: the finding does not say that it is in a stream", name)
		}
	}
}

// TestLimits: what is not looked at is said.
func TestLimits(t *testing.T) {
	big := pack(t, make([]byte, 33<<20), gz)
	if r := scan(t, big); r.Clean() || len(r.Incomplete) != 1 {
		t.Errorf("a stream over the limit: %v", r.Incomplete)
	}
	if r := scan(t, []byte("\x28\xB5\x2F\xFDxxxx")); r.Clean() || len(r.Opaque) != 1 {
		t.Errorf("an archive of another format: %v", r.Opaque)
	}
}

// TestSQLite writes PANs of every distance to the end of a page, checkpointed and
// in the log, and finds each, as text and as digits packed in a BLOB.
func TestSQLite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, q := range []string{"PRAGMA page_size=512", "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)"} {
		_, err := db.Exec(q)
		must(t, err)
	}
	const rows = 140
	put := func(from, to int) {
		for i := from; i < to; i++ {
			v := []byte(pan)
			if i%2 == 1 {
				v = nibbles(1, pan)
			}
			b := bytes.Repeat([]byte{'.'}, 1800) // of one length, so that all break at the same places
			copy(b[8*i:], v)
			_, err := db.Exec("INSERT INTO t (id, b) VALUES (?, ?)", i, b)
			must(t, err)
		}
	}
	put(0, rows/2)
	_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	must(t, err)
	put(rows/2, rows) // these are in the log only
	s := scanner(t)
	r, err := s.Paths(context.Background(), []string{dir}, nil)
	must(t, err)
	whole, cut := map[string]int{}, map[string]int{}
	for _, f := range r.Findings {
		if strings.HasSuffix(f.Encoding, "over two pages") {
			cut[filepath.Base(f.Path)]++
		} else {
			whole[filepath.Base(f.Path)]++
		}
	}
	if cut["a.db"] == 0 || cut["a.db-wal"] == 0 {
		t.Errorf("no value was found over two pages: %v", cut)
	}
	for name, want := range map[string]int{"a.db": rows / 2, "a.db-wal": rows / 2} {
		if got := whole[name] + cut[name]; got < want {
			t.Errorf("%s: %d of %d values were found (%d whole, %d cut)", name, got, want, whole[name], cut[name])
		}
	}
	// A log whose database is gone is scanned all the same.
	alone := filepath.Join(t.TempDir(), "b.db-wal")
	wal, err := os.ReadFile(path + "-wal")
	must(t, err)
	must(t, os.WriteFile(alone, wal, 0o600))
	r, err = s.Paths(context.Background(), []string{alone}, nil)
	must(t, err)
	if n := len(r.Findings); n < rows/2 {
		t.Errorf("the log alone: %d of %d values were found", n, rows/2)
	}
}

// TestDeletedRows: a row that was deleted without secure_delete is still there.
func TestDeletedRows(t *testing.T) {
	for secure, want := range map[bool]bool{false: true, true: false} {
		path := filepath.Join(t.TempDir(), "a.db")
		db, err := sql.Open("sqlite", path)
		must(t, err)
		for _, q := range []string{fmt.Sprintf("PRAGMA secure_delete=%v", secure), "CREATE TABLE t (b TEXT)", "INSERT INTO t VALUES ('" + strings.Repeat("y", 3000) + pan + "')", "DELETE FROM t"} {
			_, err := db.Exec(q)
			must(t, err)
		}
		must(t, db.Close())
		r, err := scanner(t).Paths(context.Background(), []string{path}, nil)
		must(t, err)
		if got := len(r.Findings) > 0; got != want {
			t.Errorf("secure_delete %v: found %v", secure, r.Findings)
		}
	}
}

// TestWalk: names, folders, links and what cannot be read.
func TestWalk(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "a", "b", "track-"+pan+".txt"), []byte("x"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "skipped"), []byte(pin), 0o600))
	must(t, os.Symlink(filepath.Join(dir, "skipped"), filepath.Join(dir, "a", "link")))
	s, ctx := scanner(t), context.Background()
	r, err := s.Paths(ctx, []string{dir}, []string{filepath.Join(dir, "skipped")})
	must(t, err)
	if len(r.Findings) != 1 || r.Findings[0].Inside != "the name of a file" || r.Files != 1 {
		t.Errorf("%+v", r)
	}
	if r, err = s.Paths(ctx, []string{filepath.Join(dir, "a", "link")}, nil); err != nil || len(r.Findings) != 1 {
		t.Errorf("a link that was named: %+v, %v", r, err)
	}
	if r, err = s.Paths(ctx, []string{filepath.Join(dir, "missing")}, nil); err != nil || r.Clean() {
		t.Errorf("a missing file: %+v, %v", r, err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Paths(stopped, []string{dir}, nil); err == nil {
		t.Error("a scan that was stopped ended as if it were whole")
	}
}
