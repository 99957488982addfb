package card

import (
	"crypto/subtle"
	"fmt"

	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/secret"
)

// plaintextPIN is P2 of VERIFY with a PIN in clear (EMV Book 3, table 23).
const plaintextPIN = 0x80

// verify is VERIFY (EMV Book 3, 6.5.12). A try is taken, durably, before the PIN
// is compared: pulling the card must not give a try back.
func (c *Card) verify(cmd transport.Command) (transport.Response, error) {
	if c.selected == nil || !c.tx.open {
		return refuse(swConditions)
	}
	if cmd.P1 != 0 || cmd.P2 != plaintextPIN {
		return refuse(swP1P2)
	}
	if c.pin.IsZero() {
		return refuse(swReferenceUnusable)
	}
	if len(cmd.Data) != 8 {
		return refuse(swLength)
	}
	state := c.store.state
	c.tx.pinTried = true
	if state.PINTries == 0 {
		return refuse(swBlocked)
	}
	state.PINTries--
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	reference := pinBlock(c.pin)
	defer reference.Wipe()
	if subtle.ConstantTimeCompare(reference.Expose(), cmd.Data) != 1 {
		return refuse(swTriesLeft + uint16(state.PINTries))
	}
	c.tx.pinRight = true
	state.PINTries = c.profile.PINTryLimit
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	return refuse(swOK)
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
