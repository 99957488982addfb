package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrServerBackup says that PostgreSQL is backed up by its own tools.
var ErrServerBackup = errors.New("store: PostgreSQL is backed up by its own tools, such as pgbackrest or pg_basebackup")

// Backup writes a copy of an SQLite database to path while payments go on: one
// snapshot, compact, without what was deleted, synced, mode 0600. path must not
// exist; it appears whole or not at all. On PostgreSQL it is ErrServerBackup.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if s.cfg.Path == "" {
		return ErrServerBackup
	}
	if s.cfg.ReadOnly {
		return ErrReadOnly
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fmt.Errorf("store: the backup %s exists already, or cannot be looked at", path), err)
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("store: making the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	_, err = s.write.ExecContext(ctx, `VACUUM INTO $1`, part)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("store: writing the backup: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("store: naming the backup: %w", err)
	}
	return syncDir(filepath.Dir(path))
}
