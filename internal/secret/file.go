// Package secret reads secrets that a configuration names by file. The bytes
// travel in pure/secret.Secret.
package secret

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	pure "tallystick.example/internal/pure/secret"
)

// maxFile bounds a secret's file.
const maxFile = 64 << 10

// ReadFile reads the secret in the file at path, without one final line break.
// The file must be regular, at most 64 KiB and readable by its owner alone; it
// must belong to the user of the program or root. Errors name the path, never
// the content.
func ReadFile(path string) (pure.Secret, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return pure.Secret{}, fmt.Errorf("reading a secret: %w", err)
	}
	defer f.Close()
	if err := private(f); err != nil {
		return pure.Secret{}, fmt.Errorf("the secret %s: %w", path, err)
	}
	b := make([]byte, maxFile+1)
	defer clear(b)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return pure.Secret{}, fmt.Errorf("reading the secret %s: %w", path, err)
	}
	if n > maxFile {
		return pure.Secret{}, fmt.Errorf("the secret %s is larger than %d bytes", path, maxFile)
	}
	if n > 0 && b[n-1] == '\n' {
		n--
	}
	return pure.New(b[:n]), nil
}

// ReadHexFile reads a file of hexadecimal digits as ReadFile does and returns
// the bytes they stand for.
func ReadHexFile(path string) (pure.Secret, error) {
	text, err := ReadFile(path)
	if err != nil {
		return pure.Secret{}, err
	}
	defer text.Wipe()
	b := make([]byte, hex.DecodedLen(text.Len()))
	if _, err := hex.Decode(b, text.Expose()); err != nil {
		clear(b)
		return pure.Secret{}, fmt.Errorf("the secret %s is not an even number of hexadecimal digits", path)
	}
	return pure.Take(b), nil
}

// WriteFile makes a new file with mode 0600 that holds b, synced. It never
// overwrites.
func WriteFile(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing a secret: %w", err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the secret %s: %w", path, err)
	}
	return nil
}

func private(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is not a regular file")
	case st.Mode&0o077 != 0:
		return fmt.Errorf("others may read it (mode %04o); use chmod 600", st.Mode&0o777)
	case int(st.Uid) != os.Geteuid() && st.Uid != 0:
		return fmt.Errorf("it belongs to user %d", st.Uid)
	}
	return nil
}
