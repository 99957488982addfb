// Package keypad plays a PIN keypad on a serial line: when the terminal asks for
// a PIN, a cardholder types one. docs/serial-keypad.md describes the line.
package keypad

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tallystick.example/internal/pure/secret"
)

// prompt is the line with which a terminal asks for a PIN.
const prompt = "PIN\r\n"

// maxPrompt bounds what a terminal may send before a line break.
const maxPrompt = 64

// A Cardholder types into a keypad.
type Cardholder struct {
	// Keys gives what is typed at each prompt: the digits of a PIN, or also BS,
	// DEL and ESC. The caller of Keys wipes the Secret.
	Keys func() (secret.Secret, error)
	// Pause lies between two keys.
	Pause time.Duration
}

// Serve answers each prompt on the line with the cardholder's keys, and CR when
// they are digits, until ctx ends or the line does. It reports the number of
// prompts answered.
func (c Cardholder) Serve(ctx context.Context, line io.ReadWriter) (answered int, err error) {
	in := bufio.NewReaderSize(line, maxPrompt)
	for {
		text, err := in.ReadSlice('\n')
		switch {
		case ctx.Err() != nil:
			return answered, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue // noise without a line break: not a prompt
		case err != nil:
			return answered, fmt.Errorf("keypad: %w", err)
		case string(text) != prompt:
			continue
		}
		if err := c.enter(ctx, line); err != nil {
			return answered, err
		}
		answered++
	}
}

func (c Cardholder) enter(ctx context.Context, line io.Writer) error {
	keys, err := c.Keys()
	if err != nil {
		return fmt.Errorf("keypad: %w", err)
	}
	defer keys.Wipe()
	for i := range keys.Len() {
		if err := c.press(ctx, line, keys.Expose()[i:i+1]); err != nil {
			return err
		}
	}
	if n := keys.Len(); n > 0 && keys.Expose()[n-1] == esc {
		return nil // cancelled: nothing to confirm
	}
	return c.press(ctx, line, []byte{'\r'})
}

func (c Cardholder) press(ctx context.Context, line io.Writer, key []byte) error {
	if c.Pause > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Pause):
		}
	}
	if _, err := line.Write(key); err != nil {
		return fmt.Errorf("keypad: %w", err)
	}
	return nil
}

// Keys that are not digits.
const (
	bs  = 0x08
	del = 0x7F
	esc = 0x1B
)

// check refuses keys that the keypad does not have.
func check(keys []byte) error {
	for _, k := range keys {
		if (k < '0' || k > '9') && k != bs && k != del && k != esc {
			return errors.New("the PIN file holds something else than digits, BS, DEL or ESC")
		}
	}
	return nil
}
