package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// probeDeadline bounds how long the outcome of a commit is asked for. After it
// the process ends: its successor asks again row by row.
const probeDeadline = 2 * time.Minute

// commitFailed deals with an error of COMMIT: the batch is neither failed nor
// done (rule 7).
func (w *writer) commitFailed(b *batch, items []*item, err error) (verdict, error) {
	w.drop()
	err = fmt.Errorf("committing: %w", err)
	c := w.s.engine.classify(err)
	if c == classFull || c == classIO {
		w.s.disk.release() // so that the next start finds room for reversals
		w.die(err)
		return dead, err
	}
	done, perr := w.ask(b.number)
	if perr != nil {
		w.die(fmt.Errorf("%w; asking about it: %w", err, perr))
		return dead, err
	}
	if done {
		b.done(items)
		return committed, nil
	}
	for _, it := range items {
		it.move(asking, running) // who has left stays away: admit forgets him
	}
	return w.judge(err, c)
}

// ask learns whether batch number was committed, with retries.
func (w *writer) ask(number int64) (committed bool, err error) {
	end := time.Now().Add(probeDeadline)
	for try := 0; ; try++ {
		w.s.stats.probes.Add(1)
		last, err := w.probe()
		switch {
		case err == nil:
			return last == number, nil
		case errors.Is(err, ErrFenced) || time.Now().After(end):
			return false, err
		}
		time.Sleep(backoff(try))
	}
}

// probe writes to the node's row on a fresh connection and commits: a commit
// that is still on its way holds the row, so that this waits for its end.
func (w *writer) probe() (last int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectDeadline)
	defer cancel()
	w.drop()
	if err := w.connect(); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			w.drop()
		}
	}()
	tx, err := w.on.conn.BeginTx(ctx, w.s.engine.writeOptions())
	if err != nil {
		return 0, fmt.Errorf("beginning: %w", err)
	}
	err = tx.QueryRowContext(ctx, `UPDATE commit_probe SET probes = probes + 1 WHERE node = $1 AND session = $2 RETURNING batch`,
		w.s.cfg.Node, w.session).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrFenced
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("writing the probe: %w", err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("committing the probe: %w", err)
	}
	return last, nil
}

// claim takes the node's row for this start; an older process under the same
// name finds its session gone and ends (ErrFenced).
func (w *writer) claim(ctx context.Context) error {
	if err := w.connect(); err != nil {
		return err
	}
	err := w.on.conn.QueryRowContext(ctx, `INSERT INTO commit_probe (node, session, batch, probes) VALUES ($1, 1, 0, 0)
		ON CONFLICT (node) DO UPDATE SET session = commit_probe.session + 1, batch = 0 RETURNING session`, w.s.cfg.Node).Scan(&w.session)
	if err != nil {
		return fmt.Errorf("claiming the node's row: %w", err)
	}
	return nil
}
