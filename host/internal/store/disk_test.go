package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// insertItem is an item that stores id.
func insertItem(id string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO item (id, runs) VALUES ($1, 0)`, id)
		return err
	}
}

// TestFullDisk makes the real engine answer SQLITE_FULL: the reserve is given
// back, closings go in, new sales are refused, and with room again all is well.
func TestFullDisk(t *testing.T) {
	s, _ := openFaulty(t, func(err error) { t.Errorf("fatal: %v", err) })
	var free atomic.Int64
	free.Store(1 << 40)
	s.disk.free = func(string) (int64, error) { return free.Load(), nil }
	reserve := s.cfg.Path + ".reserve"
	if info, err := os.Stat(reserve); err != nil || info.Size() != 1<<20 {
		t.Fatalf("no reserve: %v", err)
	}
	ctx := context.Background()
	free.Store(1 << 20) // enough not to be noticed before the engine notices
	limit := func(tx *Tx) error {
		_, err := tx.q.session.conn.ExecContext(ctx, "PRAGMA max_page_count = 1")
		return err
	}
	if err := s.Do(ctx, "limit", limit); err != nil {
		t.Fatal(err)
	}
	big := func(tx *Tx) error {
		for i := range 200 {
			if err := insertItem(fmt.Sprintf("big-%d-%01000d", i, i))(tx); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.DoSale(ctx, "sale", big); !errors.Is(err, ErrFull) {
		t.Errorf("a sale on a full disk: %v", err)
	}
	if _, err := os.Stat(reserve); !s.Full() || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("full %v, reserve %v", s.Full(), err)
	}
	if err := s.DoSale(ctx, "sale", insertItem("s")); !errors.Is(err, ErrFull) {
		t.Errorf("the next sale: %v", err)
	}
	if err := s.Do(ctx, "reversal", big); err != nil {
		t.Errorf("a reversal on a full disk: %v", err)
	}
	if err := s.Do(ctx, "limit", limit); err != nil {
		t.Fatal(err)
	}
	if err := s.Do(ctx, "reversal", func(tx *Tx) error { return insertItem(fmt.Sprintf("%0500000d", 1))(tx) }); !errors.Is(err, ErrFull) {
		t.Errorf("a reversal without a reserve: %v", err)
	}
	free.Store(1 << 40)
	for s.Full() {
		if err := s.Do(ctx, "closing", func(*Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := os.Stat(reserve); err != nil {
		t.Errorf("the reserve did not come back: %v", err)
	}
	if err := s.DoSale(ctx, "sale", insertItem("s")); err != nil {
		t.Errorf("a sale with room again: %v", err)
	}
}

// TestReserveIsReleasedInTime notices little space before the engine does, and
// keeps refusing after a restart.
func TestReserveIsReleasedInTime(t *testing.T) {
	cfg := Config{Path: t.TempDir() + "/host.db", ReserveMiB: 2}
	d, err := newDisk(cfg)
	if err != nil || d.isFull() {
		t.Fatalf("%v, full %v", err, d.isFull())
	}
	d.free = func(string) (int64, error) { return 1<<20 - 1, nil } // under half a reserve
	d.check()
	if _, err := os.Stat(d.path); !d.isFull() || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("full %v, reserve %v", d.isFull(), err)
	}
	if d.release() {
		t.Error("the reserve was given back twice")
	}
	d.free = func(string) (int64, error) { return 4<<20 - 1, nil } // not yet twice the reserve
	if err := d.regain(); err != nil || !d.isFull() {
		t.Errorf("regained too early: %v", err)
	}
	d.free = func(string) (int64, error) { return 4 << 20, nil }
	if err := d.regain(); err != nil || d.isFull() {
		t.Errorf("not regained: %v", err)
	}
	if info, err := os.Stat(d.path); err != nil || info.Size() != 2<<20 {
		t.Errorf("reserve %v", err)
	}
}
