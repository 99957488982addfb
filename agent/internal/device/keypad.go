package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tallystick.example/internal/pure/secret"
)

// Errors of a PIN entry.
var (
	// ErrLabOnly means that software PIN entry was asked for outside lab mode.
	ErrLabOnly = errors.New("PIN entry through a serial keypad exists in lab mode only: a real terminal uses a PIN pad")
	// ErrPINCancelled means that the cardholder pressed the cancel key.
	ErrPINCancelled = errors.New("the cardholder cancelled the PIN entry")
	// ErrPINBypassed means that the cardholder confirmed without any digit.
	ErrPINBypassed = errors.New("the cardholder entered no PIN")
	// ErrPINTimeout means that no whole PIN came in time.
	ErrPINTimeout = errors.New("no PIN was entered in time")
	// ErrKeypadDown means that the keypad does not work.
	ErrKeypadDown = errors.New("the PIN keypad is not connected")
)

// Lengths of a PIN (ISO 9564-1).
const (
	minPIN = 4
	maxPIN = 12
)

// Keys of the keypad, in ASCII.
const (
	keyEnter  = '\r'
	keyBack   = '\b'
	keyDelete = 0x7F
	keyCancel = 0x1B
)

// pinPrompt asks the keypad for a PIN.
const pinPrompt = "PIN\r\n"

// A Keypad is the lab's PIN keypad: a serial line that sends ASCII digits, CR,
// BS or DEL, and ESC (docs/serial-keypad.md). One PIN is entered at a time.
type Keypad struct {
	line    Line
	timeout time.Duration

	mu   sync.Mutex
	port *Port
}

// NewKeypad makes the driver; the line is opened for the first PIN. Outside lab
// mode it refuses with ErrLabOnly: a PIN in the memory of a Linux process is for
// tests.
func NewKeypad(line Line, lab bool, timeout time.Duration) (*Keypad, error) {
	if !lab {
		return nil, ErrLabOnly
	}
	return &Keypad{line: line, timeout: timeout}, nil
}

// PIN asks for a PIN and returns 4 to 12 ASCII digits, which the caller wipes.
// progress is told how many digits have been entered; it may be nil. Errors are
// ErrPINCancelled, ErrPINBypassed, ErrPINTimeout, ErrKeypadDown and the cause of
// ctx.
func (k *Keypad) PIN(ctx context.Context, progress func(digits int)) (secret.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, k.timeout, ErrPINTimeout)
	defer cancel()
	if err := k.ask(ctx); err != nil {
		k.drop()
		return secret.Secret{}, fmt.Errorf("%w: %w", ErrKeypadDown, err)
	}
	var e pinEntry
	defer e.wipe()
	buf := make([]byte, 16)
	defer clear(buf)
	for {
		n, err := k.port.Read(ctx, buf)
		if err != nil {
			if errors.Is(err, ErrClosed) {
				k.drop()
				return secret.Secret{}, fmt.Errorf("%w: %w", ErrKeypadDown, err)
			}
			return secret.Secret{}, err
		}
		for _, key := range buf[:n] {
			done, err := e.press(key)
			if err != nil {
				return secret.Secret{}, err
			}
			if done {
				return secret.New(e.digits[:e.n]), nil
			}
		}
		if progress != nil {
			progress(e.n)
		}
	}
}

// ask opens the line when it is not open, forgets keys that were pressed before
// anybody asked, and prompts.
func (k *Keypad) ask(ctx context.Context) error {
	for try := 0; ; try++ {
		err := k.prompt(ctx)
		if err == nil || try == 1 || ctx.Err() != nil {
			return err
		}
		k.drop() // the line may have been lost since the last PIN
	}
}

func (k *Keypad) prompt(ctx context.Context) error {
	if k.port == nil {
		p, err := OpenPort(k.line)
		if err != nil {
			return err
		}
		k.port = p
	}
	if err := k.port.Discard(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return k.port.Write(ctx, []byte(pinPrompt))
}

func (k *Keypad) drop() {
	if k.port != nil {
		_ = k.port.Close() // it is given up anyway
		k.port = nil
	}
}

// Close closes the line.
func (k *Keypad) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
}

// A pinEntry is a PIN being entered, in memory that is wiped.
type pinEntry struct {
	digits [maxPIN]byte
	n      int
}

// press takes one key; done says that the PIN is complete. Keys that mean
// nothing, digits after the twelfth, and ENTER after one to three digits are
// ignored.
func (e *pinEntry) press(key byte) (done bool, err error) {
	switch {
	case key >= '0' && key <= '9' && e.n < maxPIN:
		e.digits[e.n] = key
		e.n++
	case key == keyBack || key == keyDelete:
		if e.n > 0 {
			e.n--
			e.digits[e.n] = 0
		}
	case key == keyCancel:
		return false, ErrPINCancelled
	case key == keyEnter && e.n == 0:
		return false, ErrPINBypassed
	case key == keyEnter && e.n >= minPIN:
		return true, nil
	}
	return false, nil
}

func (e *pinEntry) wipe() {
	clear(e.digits[:])
	e.n = 0
}
