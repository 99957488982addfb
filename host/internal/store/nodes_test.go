package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
)

// servers are the engines that several nodes can share.
func servers() (engines []storetest.Engine) {
	for _, e := range storetest.Engines() {
		if e.Name == "postgres" {
			engines = append(engines, e)
		}
	}
	return engines
}

// TestNodesDoNotUndercutEachOther has two nodes change two rows in opposite
// order: deadlocks are run again, locks keep every change.
func TestNodesDoNotUndercutEachOther(t *testing.T) {
	for _, e := range servers() {
		cfg := e.Config(t)
		cfg.Sets = sets()
		one := storetest.Open(t, cfg)
		cfg.Node = "n2"
		two := storetest.Open(t, cfg)
		for _, id := range []string{"a", "b"} {
			if err := one.Do(context.Background(), "open", insert(id, 0)); err != nil {
				t.Fatal(err)
			}
		}
		add := func(tx *store.Tx, id string) error {
			var amount int64
			if err := tx.Lock(`SELECT amount FROM item WHERE id = $1`, id).Scan(&amount); err != nil {
				return err
			}
			_, err := tx.Exec(`UPDATE item SET amount = $2 WHERE id = $1`, id, amount+1)
			return err
		}
		var wg sync.WaitGroup
		for st, order := range map[*store.Store][]string{one: {"a", "b"}, two: {"b", "a"}} {
			for range 4 {
				wg.Go(func() {
					for range 4 {
						err := st.Do(context.Background(), "both", func(tx *store.Tx) error {
							return errors.Join(add(tx, order[0]), add(tx, order[1]))
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		if got := ids(t, one); got["a"] != 32 || got["b"] != 32 {
			t.Errorf("amounts %v", got)
		}
	}
}

func TestTheOlderOfTwoNodesOfOneNameEnds(t *testing.T) {
	for _, e := range servers() {
		cfg := e.Config(t)
		cfg.Sets = sets()
		fatal := make(chan error, 1)
		cfg.Fatal = func(err error) { fatal <- err }
		old := storetest.Open(t, cfg)
		cfg.Fatal = func(err error) { t.Error(err) }
		current := storetest.Open(t, cfg)
		if err := old.Do(context.Background(), "x", insert("x", 1)); !errors.Is(err, store.ErrFenced) || !errors.Is(<-fatal, store.ErrFenced) {
			t.Errorf("the older node wrote: %v", err)
		}
		if err := current.Do(context.Background(), "y", insert("y", 1)); err != nil || len(ids(t, current)) != 1 {
			t.Errorf("the newer node: %v, %v", err, ids(t, current))
		}
	}
}

// TestALostConnectionIsReplaced ends the server's side of the writer's and the
// readers' connections while items come in.
func TestALostConnectionIsReplaced(t *testing.T) {
	for _, e := range servers() {
		cfg := e.Config(t)
		cfg.Sets, cfg.Node = sets(), "lost1" // its connections have a name of their own on the server
		st := storetest.Open(t, cfg)
		ids(t, st) // has a reader connect
		for i := range 5 {
			err := st.Do(context.Background(), "kill", func(tx *store.Tx) error {
				if err := insert(fmt.Sprint(i), 1)(tx); err != nil {
					return err
				}
				if i%2 == 0 && st.Stats().Reruns == int64(i/2) {
					_, _ = tx.Exec(`SELECT pg_terminate_backend(pg_backend_pid())`)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		storetest.Exec(t, st, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'tallystick/lost1'`)
		if got := ids(t, st); len(got) != 5 || st.Stats().Reruns != 3 {
			t.Errorf("rows %v, stats %+v", got, st.Stats())
		}
	}
}

// A cutter is a line to the server that breaks at a COMMIT.
type cutter struct {
	listener net.Listener
	server   string
	next     atomic.Value // what happens at the next commit: "", "before", "after", "late"
}

// serve carries connections until the listener is closed.
func (c *cutter) serve() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		go c.carry(server, client, true)
		go c.carry(client, server, false)
	}
}

// carry copies one direction; a commit of the client may not come through, or
// its answer may not, or it comes through after the client has lost the line.
func (c *cutter) carry(to, from net.Conn, fromClient bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if fromClient && bytes.Contains(buf[:n], []byte("commit\x00")) {
			switch fault := c.next.Swap(""); fault {
			case "before":
				return
			case "after", "late":
				_ = from.Close()
				if fault == "late" {
					time.Sleep(300 * time.Millisecond)
				}
				_, _ = to.Write(buf[:n])
				time.Sleep(100 * time.Millisecond) // closing at once could abort what is on its way
				return
			}
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestUnknownCommitOnAServer breaks the line before, after and during a commit.
// "late" is the case that a read would get wrong: the commit is still on its way
// to the server when its outcome is asked for.
func TestUnknownCommitOnAServer(t *testing.T) {
	for _, e := range servers() {
		for fault, want := range map[string]int{"before": 2, "after": 1, "late": 1} {
			t.Run(fault, func(t *testing.T) {
				cfg := e.Config(t)
				dsn, err := url.Parse(cfg.DSN)
				if err != nil {
					t.Fatal(err)
				}
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				c := &cutter{listener: l, server: dsn.Host}
				c.next.Store("")
				go c.serve()
				t.Cleanup(func() { _ = l.Close() })
				dsn.Host = l.Addr().String()
				cfg.DSN, cfg.Sets = dsn.String(), sets()
				st := storetest.Open(t, cfg)
				runs := 0
				err = st.Do(context.Background(), "test", func(tx *store.Tx) error {
					runs++
					if runs == 1 {
						c.next.Store(fault)
					}
					return insert("a", 1)(tx)
				})
				if err != nil || runs != want || len(ids(t, st)) != 1 || st.Stats().Probes == 0 {
					t.Errorf("%v after %d runs, rows %v, stats %+v", err, runs, ids(t, st), st.Stats())
				}
			})
		}
	}
}
