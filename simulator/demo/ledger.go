package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // the host's embedded engine, opened as a thief would
)

// changeCent adds one cent to one ledger entry in the file at path, past the
// host: it takes the triggers away that keep entries as they are.
func changeCent(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger_entry'`)
	if err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	var triggers []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return errors.Join(err, rows.Close())
		}
		triggers = append(triggers, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, t := range triggers {
		if _, err := db.ExecContext(ctx, `DROP TRIGGER "`+t+`"`); err != nil {
			return fmt.Errorf("dropping a trigger: %w", err)
		}
	}
	res, err := db.ExecContext(ctx, `UPDATE ledger_entry SET minor = minor + 1 WHERE account LIKE 'merchant:payable:%'`)
	if err != nil {
		return fmt.Errorf("changing an entry: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("changed %d entries, want 1 (%w)", n, err)
	}
	return nil
}
