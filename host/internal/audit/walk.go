package audit

import (
	"fmt"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// A walker follows the chain of one node.
type walker struct {
	v       *verifier
	chain   *Chain
	head    [32]byte
	pending []api.Checkpoint // kept elsewhere, not yet reached
	boots   []boot           // not yet reached
	broken  bool             // a mismatch was reported: later ones follow from it
}

// walk follows all chains, one entry at a time.
func (v *verifier) walk(q store.Querier) error {
	var w *walker
	err := q.Each(func(scan store.Scan) error {
		var l link
		var hash []byte
		if err := scan(&l.node, &l.number, &l.boot, &l.entry.At, &l.entry.Kind, &l.entry.Actor, &l.entry.Object, &l.entry.Detail, &hash); err != nil {
			return fmt.Errorf("reading an entry: %w", err)
		}
		if w == nil || w.chain.Node != l.node {
			w.end()
			w = v.walker(l.node)
		}
		w.entry(l, [32]byte(append(hash, make([]byte, 32)...)))
		return nil
	}, `SELECT node, number, boot, at, kind, actor, object, detail, hash FROM audit_entry ORDER BY node, number`)
	w.end()
	return err
}

func (v *verifier) walker(node string) *walker {
	c := &Chain{Node: node, Boots: uint64(len(v.boots[node]))}
	v.chains[node] = c
	return &walker{v: v, chain: c, pending: v.outside[node], boots: v.boots[node]}
}

// entry checks one entry against what came before, its boot, and the
// checkpoints kept elsewhere of its number.
func (w *walker) entry(l link, hash [32]byte) {
	if want := w.chain.Entries + 1; l.number != want {
		w.v.result.find(Finding{Gap, l.node, want, l.number - 1, "these entries are missing"})
	} else if l.hash(w.head) != hash {
		w.v.result.find(Finding{Changed, l.node, l.number, l.number, "the entry is not what its hash was made of"})
	}
	w.chain.Entries, w.head = l.number, hash
	w.start(l)
	for len(w.pending) > 0 && w.pending[0].Count <= l.number {
		c := w.pending[0]
		w.pending = w.pending[1:]
		switch {
		case c.Count == l.number && c.Head == hash:
			w.chain.External++
			w.chain.Covered = max(w.chain.Covered, c.Count)
		case !w.broken:
			w.broken = true
			w.v.result.find(Finding{Rewritten, l.node, w.chain.Covered + 1, c.Count, mismatch(c, originOutside)})
		}
	}
}

// start holds the recorded boots against the chain: each begins with its
// node.start, and no entry belongs to another boot.
func (w *walker) start(l link) {
	begins := len(w.boots) > 0 && w.boots[0].first <= l.number
	recorded := begins && w.boots[0] == (boot{l.boot, l.number})
	if (l.entry.Kind == startKind) != recorded {
		w.v.result.find(Finding{MissingBoot, l.node, l.number, l.number, "the recorded boots and the entries node.start differ"})
	}
	if begins {
		w.boots = w.boots[1:]
	}
}

// end reports what lies beyond the end of the chain.
func (w *walker) end() {
	if w == nil {
		return
	}
	if n := len(w.pending); n > 0 {
		w.v.truncated(w.chain, w.pending[n-1], originOutside)
	}
	for _, b := range w.boots {
		w.v.result.find(Finding{MissingBoot, w.chain.Node, b.first, b.first, fmt.Sprintf("boot %d is recorded, its entries are missing", b.number)})
	}
}
