package audit

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// Verify walks every chain in one snapshot and holds it against the stored
// checkpoints and those kept outside, whose signatures key must verify. It
// finds gaps, changed entries, chains that were recomputed (Rewritten),
// restored and continued (Fork) or cut (Truncated), nodes and boots that are
// missing, and wrong signatures, and says which entries are concerned. What was
// rewritten after the last checkpoint that left the database cannot be seen.
//
// An error means that the log could not be read, not that it is wrong.
func Verify(ctx context.Context, st *store.Store, key ed25519.PublicKey, external []api.Checkpoint) (Result, error) {
	v := &verifier{key: key, outside: map[string][]api.Checkpoint{}, boots: map[string][]boot{}, chains: map[string]*Chain{}}
	v.admit(external)
	err := st.Read(ctx, func(q store.Querier) error {
		if err := v.readBoots(q); err != nil {
			return err
		}
		if err := v.walk(q); err != nil {
			return err
		}
		return v.stored(q)
	})
	if err != nil {
		return Result{}, fmt.Errorf("audit: verifying: %w", err)
	}
	v.conclude()
	return v.result, nil
}

// A verifier holds what Verify knows so far.
type verifier struct {
	key     ed25519.PublicKey
	outside map[string][]api.Checkpoint // per node, by count; signatures hold
	boots   map[string][]boot           // per node, by number
	chains  map[string]*Chain           // of the nodes that have entries
	result  Result
}

// A boot is a recorded start of a node.
type boot struct{ number, first uint64 }

// admit sorts the checkpoints kept elsewhere. A wrong signature is a finding and
// proves nothing else; two signed heads of one count are a fork by themselves.
func (v *verifier) admit(external []api.Checkpoint) {
	for _, c := range external {
		if !api.VerifyCheckpoint(v.key, c) {
			v.result.find(Finding{BadSignature, c.Node, c.Count, c.Count, "the checkpoint " + originOutside + " was not signed by this boundary"})
			continue
		}
		v.outside[c.Node] = append(v.outside[c.Node], c)
	}
	for node, cs := range v.outside {
		slices.SortFunc(cs, func(a, b api.Checkpoint) int { return cmp.Compare(a.Count, b.Count) })
		for i := 1; i < len(cs); i++ {
			if cs[i].Count == cs[i-1].Count && cs[i].Head != cs[i-1].Head {
				v.result.find(Finding{Fork, node, 1, cs[i].Count, "two checkpoints " + originOutside + " of this count have different heads"})
			}
		}
	}
}

// readBoots reads the starts of all nodes; their numbers have no gaps.
func (v *verifier) readBoots(q store.Querier) error {
	return q.Each(func(scan store.Scan) error {
		var node string
		var b boot
		if err := scan(&node, &b.number, &b.first); err != nil {
			return fmt.Errorf("reading a boot: %w", err)
		}
		if want := uint64(len(v.boots[node])) + 1; b.number != want {
			v.result.find(Finding{MissingBoot, node, b.first, b.first, fmt.Sprintf("boot %d is recorded after boot %d", b.number, want-1)})
		}
		v.boots[node] = append(v.boots[node], b)
		return nil
	}, `SELECT node, boot, first FROM audit_boot ORDER BY node, boot`)
}

// stored checks the checkpoints of the database.
func (v *verifier) stored(q store.Querier) error {
	return q.Each(func(scan store.Scan) error {
		var c api.Checkpoint
		var head, hash []byte
		if err := scan(&c.Node, &c.Count, &c.Boot, &head, &c.Signature, &hash); err != nil {
			return fmt.Errorf("reading a checkpoint: %w", err)
		}
		copy(c.Head[:], head)
		if !api.VerifyCheckpoint(v.key, c) {
			v.result.find(Finding{BadSignature, c.Node, c.Count, c.Count, "the " + originStored + " checkpoint was not signed by this boundary"})
			return nil
		}
		chain := v.chains[c.Node]
		switch {
		case chain == nil: // conclude says that the node is missing
			v.outside[c.Node] = append(v.outside[c.Node], c)
		case hash == nil && c.Count > chain.Entries:
			v.truncated(chain, c, originStored)
		case slices.Equal(hash, head):
			chain.Checkpoints++
			chain.Covered = max(chain.Covered, c.Count)
		default:
			v.result.find(Finding{Rewritten, c.Node, 1, c.Count, mismatch(c, originStored)})
		}
		return nil
	}, `SELECT c.node, c.count, c.boot, c.head, c.signature, e.hash FROM audit_checkpoint c
		LEFT JOIN audit_entry e ON e.node = c.node AND e.number = c.count ORDER BY c.node, c.count`)
}

func (v *verifier) truncated(chain *Chain, c api.Checkpoint, origin string) {
	v.result.find(Finding{Truncated, c.Node, chain.Entries + 1, c.Count,
		fmt.Sprintf("the chain ends at %d, a checkpoint %s of boot %d has %d entries", chain.Entries, origin, c.Boot, c.Count)})
}

func mismatch(c api.Checkpoint, origin string) string {
	return fmt.Sprintf("the chain does not have the head that the checkpoint %s of boot %d signed", origin, c.Boot)
}

// conclude names the nodes without a chain and tells forks from rewriting: after
// a fork the boundary has signed the other history as well.
func (v *verifier) conclude() {
	known := map[string]uint64{} // the most entries that anything speaks of
	for node, cs := range v.outside {
		for _, c := range cs {
			known[node] = max(known[node], c.Count)
		}
	}
	for node, bs := range v.boots {
		known[node] = max(known[node], bs[len(bs)-1].first)
	}
	for _, node := range slices.Sorted(maps.Keys(known)) {
		if v.chains[node] == nil {
			v.result.find(Finding{MissingNode, node, 1, known[node], "the node has no entries"})
		}
	}
	for i, f := range v.result.Findings {
		if f.Kind == Rewritten && v.chains[f.Node].Covered >= f.Number {
			v.result.Findings[i].Kind = Fork
		}
	}
	for _, node := range slices.Sorted(maps.Keys(v.chains)) {
		v.result.Chains = append(v.result.Chains, *v.chains[node])
	}
}
