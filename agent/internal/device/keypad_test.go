package device

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// keypad opens a pseudo-terminal with a driver on it; keys are pressed after
// each prompt.
func keypad(t *testing.T, timeout time.Duration, keys ...string) (*Keypad, *os.File) {
	t.Helper()
	peer, tty := openPair(t)
	k, err := NewKeypad(Line{Path: tty.Name(), Baud: 9600, LockDir: t.TempDir()}, true, timeout)
	ok(t, err)
	t.Cleanup(func() { k.Close(); _ = tty.Close(); _ = peer.Close() })
	go func() {
		for _, pressed := range keys {
			prompt := make([]byte, len(pinPrompt))
			if _, err := io.ReadFull(peer, prompt); err != nil || string(prompt) != pinPrompt {
				t.Errorf("prompt %q, %v", prompt, err)
				return
			}
			if _, err := peer.WriteString(pressed); err != nil {
				t.Error(err)
			}
		}
	}()
	return k, peer
}

func TestPINEntry(t *testing.T) {
	for name, c := range map[string]struct {
		keys, want string
		err        error
	}{
		"four digits":             {"1234\r", "1234", nil},
		"twelve digits":           {"123456789012\r", "123456789012", nil},
		"a thirteenth is ignored": {"1234567890123\r", "123456789012", nil},
		"corrected by backspace":  {"129\b\b\b1234\r", "1234", nil},
		"corrected by delete":     {"1235\x7f4\r", "1234", nil},
		"nothing to correct":      {"\b\b4321\r", "4321", nil},
		"enter came too early":    {"12\r34\r", "1234", nil},
		"other keys":              {"1a2 3\n4*\r", "1234", nil},
		"cancel":                  {"12\x1b34\r", "", ErrPINCancelled},
		"no PIN":                  {"\r", "", ErrPINBypassed},
		"no PIN after correcting": {"1\b\r", "", ErrPINBypassed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, _ := keypad(t, 10*time.Second, c.keys)
			pin, err := k.PIN(t.Context(), nil)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || string(pin.Expose()) != c.want {
				t.Errorf("%q, %v", pin.Expose(), err)
			}
		})
	}
}

func TestPINEndsInTime(t *testing.T) {
	k, _ := keypad(t, 200*time.Millisecond, "12")
	if _, err := k.PIN(t.Context(), nil); !errors.Is(err, ErrPINTimeout) {
		t.Errorf("%v, want ErrPINTimeout", err)
	}
	k, _ = keypad(t, time.Minute, "12")
	stop := errors.New("card removed")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := k.PIN(ctx, func(int) { cancel(stop) })
	if !errors.Is(err, stop) {
		t.Errorf("%v, want the caller's reason", err)
	}
}

func TestKeysBeforeThePromptAreForgotten(t *testing.T) {
	k, peer := keypad(t, 10*time.Second, "4444\r", "5555\r")
	pin, err := k.PIN(t.Context(), nil)
	ok(t, err)
	if string(pin.Expose()) != "4444" {
		t.Errorf("first PIN %q", pin.Expose())
	}
	if _, err := peer.WriteString("9999\r"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	pin, err = k.PIN(t.Context(), nil)
	ok(t, err)
	if string(pin.Expose()) != "5555" {
		t.Errorf("second PIN %q", pin.Expose())
	}
}

func TestUnpluggedKeypad(t *testing.T) {
	k, peer := keypad(t, 10*time.Second)
	ok(t, peer.Close())
	if _, err := k.PIN(t.Context(), nil); !errors.Is(err, ErrKeypadDown) {
		t.Errorf("%v, want ErrKeypadDown", err)
	}
}

func TestKeypadIsForTheLab(t *testing.T) {
	if _, err := NewKeypad(Line{}, false, time.Second); !errors.Is(err, ErrLabOnly) {
		t.Errorf("%v, want ErrLabOnly", err)
	}
}
