package store

import (
	"context"
	"strings"
	"testing"
)

// TestOnlyDurableConnectionsAreUsed opens a connection that does not sync and
// one that does: the first passes only where the laboratory has asked for it.
func TestOnlyDurableConnectionsAreUsed(t *testing.T) {
	for _, unsafe := range []bool{false, true} {
		cfg, err := Config{Path: t.TempDir() + "/host.db", Node: "n1", Fatal: func(err error) { t.Error(err) }, Lab: unsafe, UnsafeNoSync: unsafe, ReserveMiB: -1}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		s := newStore(cfg, &sqlite{cfg: cfg})
		if err := s.open(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		conn, err := s.write.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var sync, secure int
		if err := conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRowContext(ctx, "PRAGMA secure_delete").Scan(&secure); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{false: 2, true: 0}[unsafe]; sync != want || secure != 1 {
			t.Errorf("unsafe %v: synchronous %d, secure_delete %d", unsafe, sync, secure)
		}
		if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = NORMAL"); err != nil {
			t.Fatal(err)
		}
		err = s.engine.prepare(ctx, conn)
		if (err != nil) == unsafe || err != nil && !strings.Contains(err.Error(), "FULL") {
			t.Errorf("unsafe %v: a connection without full sync: %v", unsafe, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
