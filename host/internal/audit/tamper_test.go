package audit

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"tallystick.example/host/internal/store"
	"tallystick.example/host/internal/store/storetest"
	"tallystick.example/internal/hsm/api"
)

// A scene is a database with the chains of n1 (12 entries, checkpoints at 6, 11
// and 12) and n2 (4 entries, checkpoint at 4), its triggers off.
type scene struct {
	st       *store.Store
	b        boundary
	external []api.Checkpoint
}

func newScene(t *testing.T, e storetest.Engine) *scene {
	cfg := e.Config(t)
	cfg.Sets = sets()
	s := &scene{b: newBoundary(t)}
	for _, node := range []string{"n2", "n1"} {
		cfg.Node = node
		st, err := store.Open(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		l := open(t, st)
		if node == "n1" {
			add(t, st, l, 5, "payment.approved") // 2 to 6
			s.external = append(s.external, checkpoint(t, l, s.b))
			add(t, st, l, 5, "payment.declined") // 7 to 11
			s.external = append(s.external, checkpoint(t, l, s.b))
			add(t, st, l, 1, "payment.reversed")
		} else {
			add(t, st, l, 3, "payment.approved")
		}
		s.external = append(s.external, checkpoint(t, l, s.b))
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.st = storetest.Open(t, cfg)
	storetest.Disarm(t, s.st, "audit_boot", "audit_entry", "audit_checkpoint")
	return s
}

// recompute makes all hashes of n1 fit its entries again, as an attacker would.
func (s *scene) recompute(t *testing.T) {
	var links []link
	err := s.st.Read(context.Background(), func(q store.Querier) error {
		return q.Each(func(scan store.Scan) error {
			l := link{node: "n1"}
			err := scan(&l.number, &l.boot, &l.entry.At, &l.entry.Kind, &l.entry.Actor, &l.entry.Object, &l.entry.Detail)
			links = append(links, l)
			return err
		}, `SELECT number, boot, at, kind, actor, object, detail FROM audit_entry WHERE node = 'n1' ORDER BY number`)
	})
	if err != nil {
		t.Fatal(err)
	}
	var head [32]byte
	for _, l := range links {
		head = l.hash(head)
		storetest.Exec(t, s.st, `UPDATE audit_entry SET hash = $1 WHERE node = 'n1' AND number = $2`, head[:], l.number)
	}
}

// cut takes the entries of n1 from number on away, and the checkpoints of them.
func (s *scene) cut(t *testing.T, number int) {
	storetest.Exec(t, s.st, `DELETE FROM audit_entry WHERE node = 'n1' AND number >= $1`, number)
	storetest.Exec(t, s.st, `DELETE FROM audit_checkpoint WHERE node = 'n1' AND count >= $1`, number)
}

// tamperings are what was done, and what Verify must say of it.
var tamperings = map[string]struct {
	do   func(t *testing.T, s *scene)
	want Finding // Detail is a part of it
}{
	"the last rows deleted": {
		func(t *testing.T, s *scene) { s.cut(t, 10) },
		Finding{Truncated, "n1", 10, 12, "ends at 9"}},
	"the last rows deleted, checkpoints left": {
		func(t *testing.T, s *scene) {
			s.external = nil
			storetest.Exec(t, s.st, `DELETE FROM audit_entry WHERE node = 'n1' AND number > 11`)
		},
		Finding{Truncated, "n1", 12, 12, "ends at 11"}},
	"a row deleted": {
		func(t *testing.T, s *scene) {
			storetest.Exec(t, s.st, `DELETE FROM audit_entry WHERE node = 'n1' AND number IN (4, 5)`)
		},
		Finding{Gap, "n1", 4, 5, "missing"}},
	"a row changed": {
		func(t *testing.T, s *scene) {
			storetest.Exec(t, s.st, `UPDATE audit_entry SET actor = 'operator:eve' WHERE node = 'n1' AND number = 9`)
		},
		Finding{Changed, "n1", 9, 9, "hash"}},
	"a row changed and all hashes made anew": {
		func(t *testing.T, s *scene) {
			storetest.Exec(t, s.st, `UPDATE audit_entry SET object = 'x' WHERE node = 'n1' AND number = 9`)
			s.recompute(t)
			storetest.Exec(t, s.st, `DELETE FROM audit_checkpoint WHERE node = 'n1' AND count > 6`)
		},
		Finding{Rewritten, "n1", 7, 11, "boot 1"}},
	"recomputed, the stored checkpoints left": {
		func(t *testing.T, s *scene) {
			s.external = nil
			storetest.Exec(t, s.st, `UPDATE audit_entry SET object = 'x' WHERE node = 'n1' AND number = 12`)
			s.recompute(t)
		},
		Finding{Rewritten, "n1", 1, 12, "stored"}},
	"an old copy restored and continued": {
		func(t *testing.T, s *scene) {
			s.cut(t, 7)
			l := open(t, s.st) // entry 7
			add(t, s.st, l, 8, "payment.approved")
			checkpoint(t, l, s.b)
		},
		Finding{Fork, "n1", 7, 11, "boot 1"}},
	"a node removed": {
		func(t *testing.T, s *scene) {
			for _, table := range []string{"audit_entry", "audit_checkpoint", "audit_boot"} {
				storetest.Exec(t, s.st, "DELETE FROM "+table+" WHERE node = 'n2'")
			}
		},
		Finding{MissingNode, "n2", 1, 4, "no entries"}},
	"a node removed, its boots left": {
		func(t *testing.T, s *scene) {
			s.external = nil
			storetest.Exec(t, s.st, `DELETE FROM audit_entry WHERE node = 'n2'`)
			storetest.Exec(t, s.st, `DELETE FROM audit_checkpoint WHERE node = 'n2'`)
		},
		Finding{MissingNode, "n2", 1, 1, "no entries"}},
	"a boot removed": {
		func(t *testing.T, s *scene) { storetest.Exec(t, s.st, `DELETE FROM audit_boot WHERE node = 'n2'`) },
		Finding{MissingBoot, "n2", 1, 1, "differ"}},
	"a stored signature changed": {
		func(t *testing.T, s *scene) {
			storetest.Exec(t, s.st, `UPDATE audit_checkpoint SET signature = $1 WHERE node = 'n1' AND count = 6`, make([]byte, 64))
		},
		Finding{BadSignature, "n1", 6, 6, "stored"}},
	"a checkpoint of somebody else": {
		func(t *testing.T, s *scene) {
			c, err := newBoundary(t).sign(context.Background(), "n1", 1, 6, s.external[1].Head)
			if err != nil {
				t.Fatal(err)
			}
			s.external = append(s.external, c)
		},
		Finding{BadSignature, "n1", 6, 6, "elsewhere"}},
	"two signed heads of one count": {
		func(t *testing.T, s *scene) {
			c, err := s.b.sign(context.Background(), "n1", 2, 6, [32]byte{1})
			if err != nil {
				t.Fatal(err)
			}
			s.external = append(s.external, c)
		},
		Finding{Fork, "n1", 1, 6, "different heads"}},
}

func TestTamperingIsFound(t *testing.T) {
	for name, c := range tamperings {
		t.Run(name, func(t *testing.T) {
			for _, e := range storetest.Engines() {
				t.Run(e.Name, func(t *testing.T) {
					s := newScene(t, e)
					if r := verify(t, s.st, s.b, s.external...); !r.OK() || len(r.Chains) != 2 || r.Chains[0].Covered != 12 || r.Chains[0].External != 3 {
						t.Fatalf("before: %+v", r)
					}
					c.do(t, s)
					r := verify(t, s.st, s.b, s.external...)
					if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
						return f.Kind == c.want.Kind && f.Node == c.want.Node && f.From == c.want.From && f.Number == c.want.Number && strings.Contains(f.Detail, c.want.Detail)
					}) {
						t.Errorf("want %+v, found %+v", c.want, r.Findings)
					}
					var text bytes.Buffer
					if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "do not hold") || !strings.Contains(text.String(), c.want.Kind) {
						t.Errorf("%v: %s", err, text.String())
					}
				})
			}
		})
	}
}
