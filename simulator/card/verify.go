package card

import (
	"crypto/subtle"
	"fmt"

	"tallystick.example/emv/oda/issue"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/secret"
)

// P2 of VERIFY (EMV Book 3, table 23).
const (
	plaintextPIN  = 0x80
	encipheredPIN = 0x88
)

// verify is VERIFY (EMV Book 3, 6.5.12). A try is taken, durably, before the PIN
// is opened and compared: pulling the card must not give a try back, and data
// that do not open are a wrong PIN, which tells nobody why.
func (c *Card) verify(cmd transport.Command) (transport.Response, error) {
	if c.selected == nil || !c.tx.open {
		return refuse(swConditions)
	}
	key := c.selected.pinKey()
	hidden := cmd.P2 == encipheredPIN && key != nil
	if cmd.P1 != 0 || cmd.P2 != plaintextPIN && !hidden {
		return refuse(swP1P2)
	}
	if c.pin.IsZero() {
		return refuse(swReferenceUnusable)
	}
	switch {
	case !hidden && len(cmd.Data) != 8, hidden && len(cmd.Data) != key.Size():
		return refuse(swLength)
	case hidden && c.tx.challenge == nil:
		return refuse(swConditions) // GET CHALLENGE comes directly before
	}
	state := c.store.state
	c.tx.pinTried, c.tx.pinHidden = true, hidden
	if state.PINTries == 0 {
		return refuse(swBlocked)
	}
	state.PINTries--
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	block := cmd.Data
	if hidden {
		opened, ok := issue.DecipherPIN(key, cmd.Data, c.tx.challenge)
		if !ok {
			return refuse(swTriesLeft + uint16(state.PINTries))
		}
		block = opened[:]
		defer clear(block)
	}
	reference := pinBlock(c.pin)
	defer reference.Wipe()
	if subtle.ConstantTimeCompare(reference.Expose(), block) != 1 {
		return refuse(swTriesLeft + uint16(state.PINTries))
	}
	c.tx.pinRight = true
	state.PINTries = c.profile.PINTryLimit
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	return refuse(swOK)
}

// pinKey is the key that PINs may be enciphered under, nil without one.
func (a *app) pinKey() *issue.Key {
	if a.rsa.pin != nil {
		return a.rsa.pin
	}
	return a.rsa.icc
}

// pinBlock is the plaintext PIN block of EMV Book 3, table 24: 2, length, digits,
// filled with F.
func pinBlock(pin secret.Secret) secret.Secret {
	b := []byte{0x20 | byte(pin.Len()), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	for i, d := range pin.Expose() {
		shift := 4 * (1 - i%2)
		b[1+i/2] = b[1+i/2]&^(0xF<<shift) | (d-'0')<<shift
	}
	return secret.Take(b)
}
