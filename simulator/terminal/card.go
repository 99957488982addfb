package terminal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// A Card is a card with chip: a test card, whose PIN the test knows. Several
// terminals may hold the same card at once; each payment takes its own
// transaction counter.
type Card struct {
	PAN, PIN secret.Secret // digits in ASCII
	Expiry   string        // YYMM
	PSN      string        // two digits, or empty
	Profile  cryptogram.Profile
	// Stripe is track 2 as text, PAN=YYMM and so on; a sale by magnetic stripe (DE
	// 22 80 or 90) sends it. Empty: PAN and expiry are sent.
	Stripe secret.Secret
	key    secret.Secret
	atc    atomic.Uint32
}

// NewCard derives the key of the card from an issuer master key of 16 bytes, for
// PANs of more than 16 digits by option B (EMV Book 2, A1.4.2).
func NewCard(pan, pin secret.Secret, expiry, psn string, profile cryptogram.Profile, imk secret.Secret) (*Card, error) {
	if profile != cryptogram.VisaCVN10 && profile != cryptogram.VisaCVN18 {
		return nil, errors.New("terminal: the card needs profile visa_cvn10 or visa_cvn18")
	}
	key, err := cryptogram.CardKey(imk, cryptogram.Card{PAN: pan, PSN: psn, Option: cryptogram.OptionB})
	if err != nil {
		return nil, fmt.Errorf("terminal: deriving the card's key: %w", err)
	}
	return &Card{PAN: pan, PIN: pin, Expiry: expiry, PSN: psn, Profile: profile, key: key}, nil
}

// iad is issuer application data with the cryptogram version of a profile: length,
// derivation key index, version, card verification results (VIS).
var iad = map[cryptogram.Profile]string{
	cryptogram.VisaCVN10: "06010A03A00000",
	cryptogram.VisaCVN18: "06011203A00000",
}

// chipTags are those of DE 55, in the order in which they are sent.
var chipTags = []uint32{0x9F26, 0x9F27, 0x9F10, 0x9F36, 0x9F37, 0x95, 0x9A, 0x9C, 0x9F02, 0x9F03, 0x5F2A, 0x82, 0x9F1A}

// arqc is tag 9F27 of a request to go online.
const arqc = 0x80

// Chip lets the card make an ARQC over a payment with its next counter, and gives
// DE 55. spoil makes the cryptogram wrong.
func (c *Card) Chip(h iso8583.Header, amount iso8583.Amount, spoil bool) ([]byte, error) {
	atc := c.atc.Add(1)
	if atc > 0xFFFF {
		return nil, errors.New("terminal: the card's transaction counter is spent")
	}
	bcd := func(digits string) []byte {
		b, err := hex.DecodeString(digits)
		if err != nil {
			panic("terminal: digits are formatted here") // %0nd and a date give nothing else
		}
		return b
	}
	f := cryptogram.Fields{
		0x9F02: bcd(fmt.Sprintf("%012d", amount.Minor)), 0x9F03: make([]byte, 6), 0x9F1A: {0x02, 0x76}, 0x95: make([]byte, 5),
		0x5F2A: bcd(fmt.Sprintf("%04d", amount.Currency)), 0x9A: bcd(h.At.Format("060102")), 0x9C: {0}, 0x82: {0x58, 0},
		0x9F37: {byte(h.STAN >> 16), byte(h.STAN >> 8), byte(h.STAN), byte(atc)}, 0x9F36: {byte(atc >> 8), byte(atc)},
		0x9F10: bcd(iad[c.Profile]),
	}
	ac, err := c.Profile.Generate(c.key, f)
	if err != nil {
		return nil, fmt.Errorf("terminal: making a cryptogram: %w", err)
	}
	if spoil {
		ac[0] ^= 1
	}
	f[0x9F26], f[0x9F27] = ac[:], []byte{arqc}
	var out []byte
	for _, tag := range chipTags {
		out = ber.Append(out, tag, f[tag])
	}
	return out, nil
}

// SkipTo raises the counter, for a card that has been used elsewhere.
func (c *Card) SkipTo(atc uint16) { c.atc.Store(uint32(atc)) }

// blob is the clear card data for a cipher block of so many bytes.
func (c *Card) blob(block int, entry string) (secret.Secret, error) {
	if c.Stripe.IsZero() || entry[:2] != "80" && entry[:2] != "90" {
		return cardblob.Card{PAN: c.PAN, Expiry: c.Expiry, PSN: c.PSN}.Build(block)
	}
	track, err := cardblob.PackTrack2(c.Stripe.Expose())
	if err != nil {
		return secret.Secret{}, err
	}
	defer track.Wipe()
	return cardblob.Card{Track2: track}.Build(block)
}
