package ledger

import (
	"fmt"

	"tallystick.example/host/internal/store"
)

// links checks what single postings cannot show: every reversal against what it
// reverses, and entries whose posting is missing.
func (r *Report) links(q store.Querier) error {
	err := q.Each(func(scan store.Scan) error {
		var id, of string
		var lines, mirrored int64
		if err := scan(&id, &of, &lines, &mirrored); err != nil {
			return fmt.Errorf("reading a reversal: %w", err)
		}
		if id != string(mirrorMark)+of || lines == 0 || lines != mirrored {
			r.find("posting %s: is not the mirror of %q", id, of)
		}
		return nil
	}, `SELECT p.id, COALESCE(p.reverses, ''),
			(SELECT COUNT(*) FROM ledger_entry e WHERE e.posting = p.id) + (SELECT COUNT(*) FROM ledger_entry o WHERE o.posting = p.reverses),
			2 * (SELECT COUNT(*) FROM ledger_entry e JOIN ledger_entry o ON o.posting = p.reverses AND o.line = e.line
				AND o.account = e.account AND o.currency = e.currency AND o.minor = -e.minor WHERE e.posting = p.id)
		FROM ledger_posting p WHERE p.template = $1 ORDER BY p.id`, reversal)
	if err != nil {
		return err
	}
	if err := r.list(q, "is reversed more than once", `SELECT reverses FROM ledger_posting WHERE reverses IS NOT NULL GROUP BY reverses HAVING COUNT(*) > 1 ORDER BY reverses`); err != nil {
		return err
	}
	return r.list(q, "is missing, but has entries", `SELECT DISTINCT e.posting FROM ledger_entry e LEFT JOIN ledger_posting p ON p.id = e.posting WHERE p.id IS NULL ORDER BY e.posting`)
}

// list reports every posting that query names.
func (r *Report) list(q store.Querier, what, query string) error {
	return q.Each(func(scan store.Scan) error {
		var id string
		if err := scan(&id); err != nil {
			return fmt.Errorf("reading a posting: %w", err)
		}
		r.find("posting %s: %s", id, what)
		return nil
	}, query)
}
