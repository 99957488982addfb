// Package cardblob is the clear form of the card data that a terminal enciphers
// and puts into DE 63 tag 06: BER-TLV, padded with 80 00… to whole blocks.
//
//	57    track 2 equivalent data, or 5A and 5F24
//	5A    PAN, cn, filled with F
//	5F24  expiry, YYMMDD
//	5F34  PAN sequence number, when the card gave one
//	DF01  keyed CVV2 as three or four ASCII digits
//
// A blob that is stored with an advice holds 5A, 5F24 and 5F34 only. Every tag
// comes at most once and no other is allowed. The terminal builds with
// [Card.Build], the HSM boundary reads with [Parse]; the clear bytes live in
// Secrets that their owner wipes.
package cardblob

import (
	"bytes"
	"errors"
	"fmt"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
)

// The tags of a blob.
const (
	TagTrack2 = 0x57
	TagPAN    = 0x5A
	TagExpiry = 0x5F24
	TagPSN    = 0x5F34
	TagCVV2   = 0xDF01
)

// MaxLen is the longest padded blob in bytes: 12 AES or 24 DES blocks.
const MaxLen = 192

// ErrMalformed means that data are not a blob of this form. Its text carries no
// values.
var ErrMalformed = errors.New("cardblob: malformed card data")

// A Card is the content of a blob. Wipe clears its secrets.
type Card struct {
	// Track2 is the value of tag 57: digits, D, digits, perhaps F at the end, two
	// to a byte. Empty in a stored blob and for keyed cards.
	Track2 secret.Secret
	// PAN is 8 to 19 ASCII digits. Build takes it from Track2 when that is given.
	PAN secret.Secret
	// Expiry is YYMM, or YYMMDD as tag 5F24 has it; Parse answers YYMM.
	Expiry string
	PSN    string        // two digits, or empty
	CVV2   secret.Secret // three or four ASCII digits, or empty
}

// Wipe overwrites all secrets of c.
func (c Card) Wipe() {
	c.Track2.Wipe()
	c.PAN.Wipe()
	c.CVV2.Wipe()
}

// Build writes c and pads it to whole blocks of 8 (TDES) or 16 bytes (AES). The
// caller enciphers and wipes the result. Values that do not fit give
// ErrMalformed.
func (c Card) Build(block int) (secret.Secret, error) {
	if block != 8 && block != 16 {
		return secret.Secret{}, fmt.Errorf("cardblob: blocks of %d bytes", block)
	}
	b := make([]byte, 0, MaxLen) // room for all, so that no copy is left behind by growing
	defer func() { clear(b[:cap(b)]) }()
	switch {
	case !c.Track2.IsZero():
		b = ber.Append(b, TagTrack2, c.Track2.Expose())
	default:
		pan, err := packPAN(c.PAN.Expose())
		if err != nil {
			return secret.Secret{}, err
		}
		defer clear(pan)
		date, err := packExpiry(c.Expiry)
		if err != nil {
			return secret.Secret{}, err
		}
		b = ber.Append(b, TagPAN, pan)
		b = ber.Append(b, TagExpiry, date)
	}
	if c.PSN != "" {
		psn, ok := packDigits([]byte(c.PSN))
		if !ok || len(psn) != 1 {
			return secret.Secret{}, ErrMalformed
		}
		b = ber.Append(b, TagPSN, psn)
	}
	if !c.CVV2.IsZero() {
		b = ber.Append(b, TagCVV2, c.CVV2.Expose())
	}
	b = append(b, 0x80)
	b = append(b, make([]byte, (block-len(b)%block)%block)...)
	check, err := Parse(b)
	if err != nil {
		return secret.Secret{}, err
	}
	check.Wipe()
	return secret.New(b), nil
}

// Parse reads a padded blob. It gives ErrMalformed for anything but one blob:
// a wrong padding, an unknown or repeated tag, no PAN, tags 57 and 5A that name
// different PANs, and values out of form. The Secrets of the result are copies.
func Parse(padded []byte) (Card, error) {
	end := bytes.LastIndexByte(padded, 0x80)
	if len(padded) > MaxLen || end < 0 || len(padded)-end > 16 || len(bytes.TrimLeft(padded[end+1:], "\x00")) > 0 {
		return Card{}, ErrMalformed
	}
	nodes, err := ber.Parse(padded[:end], ber.Limits{MaxDepth: 1, MaxObjects: 5, MaxBytes: MaxLen})
	if err != nil {
		return Card{}, ErrMalformed
	}
	defer wipe(nodes)
	c, ok := read(nodes)
	if !ok {
		c.Wipe()
		return Card{}, ErrMalformed
	}
	return c, nil
}

// wipe clears the private copy that the TLV parser made.
func wipe(nodes []ber.Node) {
	for _, n := range nodes {
		clear(n.Raw)
	}
}

func read(nodes []ber.Node) (c Card, ok bool) {
	seen := map[uint32]bool{}
	for _, n := range nodes {
		if seen[n.Tag] {
			return c, false
		}
		seen[n.Tag] = true
		switch n.Tag {
		case TagTrack2:
			c.Track2 = secret.New(n.Value)
		case TagPAN:
			pan, good := unpackPAN(n.Value)
			if !good {
				return c, false
			}
			c.PAN = pan
		case TagExpiry:
			d := unpackDigits(n.Value)
			if len(n.Value) != 3 || !validDate(d) {
				return c, false
			}
			c.Expiry = string(d[:4])
		case TagPSN:
			d := unpackDigits(n.Value)
			if len(n.Value) != 1 || !decimal(d) {
				return c, false
			}
			c.PSN = string(d)
		case TagCVV2:
			if len(n.Value) < 3 || len(n.Value) > 4 || !decimal(n.Value) {
				return c, false
			}
			c.CVV2 = secret.New(n.Value)
		default:
			return c, false
		}
	}
	return c.complete(seen)
}

// complete checks what the tags say together and fills PAN and expiry from
// track 2.
func (c Card) complete(seen map[uint32]bool) (Card, bool) {
	if !seen[TagTrack2] {
		return c, seen[TagPAN] && seen[TagExpiry]
	}
	t, ok := ParseTrack2(c.Track2)
	if !ok {
		return c, false
	}
	defer t.Discretionary.Wipe()
	if seen[TagPAN] && !t.PAN.Equal(c.PAN) || seen[TagExpiry] && t.Expiry != c.Expiry {
		t.PAN.Wipe()
		return c, false
	}
	c.PAN.Wipe()
	c.PAN, c.Expiry = t.PAN, t.Expiry
	return c, true
}
