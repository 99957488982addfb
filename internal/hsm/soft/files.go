package soft

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

var errClosed = errors.New("soft: the boundary is closed")

// replaceFile writes b to a new file, syncs it, renames it over path and syncs
// the directory. It returns the new file, open for appending.
func replaceFile(path string, b []byte) (*os.File, error) {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("soft: replacing a file: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("soft: replacing a file: %w", err), f.Close())
	}
	return f, nil
}

// writeFile is replaceFile for a file that nothing is appended to.
func writeFile(path string, b []byte) error {
	f, err := replaceFile(path, b)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("soft: closing a new file: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ErrOpenToOthers means that the directory or a file in it can be read by
// others than its owner.
var ErrOpenToOthers = errors.New("soft: the boundary's directory must have mode 0700 and its files 0600")

// checkModes refuses files and directories that group or others may touch.
// Sockets directly in the directory pass, whatever their mode: they hold nothing,
// and by default those of the boundary itself lie there, alive while custodians
// unlock it and dead after a kill.
func checkModes(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("soft: checking the directory: %w", err)
		}
		i, err := d.Info()
		if err != nil {
			return fmt.Errorf("soft: checking the directory: %w", err)
		}
		if i.Mode()&fs.ModeSocket != 0 && filepath.Dir(path) == filepath.Clean(dir) {
			return nil
		}
		if i.Mode().Perm()&0o077 != 0 || !i.IsDir() && !i.Mode().IsRegular() {
			return fmt.Errorf("%w: %s", ErrOpenToOthers, path)
		}
		return nil
	})
}

// ErrHeld means that another process serves the directory.
var ErrHeld = errors.New("soft: another process holds the boundary's directory")

// lock holds the directory for this process until the file is closed.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("soft: locking the directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(ErrHeld, f.Close())
	}
	return f, nil
}

// description is boundary.json.
type description struct {
	Format   int    `json:"format"`
	Mode     string `json:"mode"`
	LMKCheck string `json:"lmk_check"`
	Salt     string `json:"salt,omitempty"` // hex; only with a passphrase
	// Ready is set when everything else of the directory is in place. A crash
	// before leaves a directory that never served and is made again.
	Ready bool `json:"ready"`
}

const (
	descriptionFile = "boundary.json"
	format          = 1
	maxDescription  = 4096
)

// readDescription answers nil without error when the directory is new. A
// directory that has keys and no description is not new: making it again would
// replace keys that records outside depend on.
func readDescription(dir string) (*description, error) {
	f, err := os.Open(filepath.Join(dir, descriptionFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, "keys")); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("soft: %s is missing from a directory that has keys; restore it", descriptionFile)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("soft: reading the description: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDescription))
	if err != nil {
		return nil, fmt.Errorf("soft: reading the description: %w", err)
	}
	d := new(description)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("soft: %s: %w", descriptionFile, err)
	}
	if d.Format != format {
		return nil, fmt.Errorf("soft: %s has format %d, this program knows %d", descriptionFile, d.Format, format)
	}
	return d, nil
}

func writeDescription(dir string, d *description) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("soft: writing the description: %w", err)
	}
	return writeFile(filepath.Join(dir, descriptionFile), append(b, '\n'))
}
