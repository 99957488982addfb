package kernel

import (
	"context"

	"tallystick.example/internal/pure/secret"
)

// Callbacks are what the kernel asks its caller while it runs. Every one is
// optional. An error from one ends the transaction as Stopped and is wrapped.
type Callbacks struct {
	// Choose lets the cardholder choose among candidates, the best first, and
	// returns the index. It is called when there are several, or when the only one
	// asks for confirmation. Without it the first candidate that asks for no
	// confirmation is taken (B1 12.4).
	Choose func(ctx context.Context, candidates []Candidate) (int, error)

	// CardRead is the pause after the records have been read. t may be changed as
	// its type says. The Secrets of card are wiped by Session.Close.
	CardRead func(ctx context.Context, card *CardInfo, t *Transaction) error

	// OnlinePIN captures the PIN for the issuer and keeps it. Without it the
	// terminal does not support online PIN.
	OnlinePIN func(ctx context.Context, card *CardInfo) (PINStatus, error)

	// OfflinePIN captures a PIN of 4 to 12 ASCII digits for the card; the kernel
	// wipes it. Without it the terminal does not support offline PIN.
	OfflinePIN func(ctx context.Context, prompt PINPrompt) (PINStatus, secret.Secret, error)

	// Blocked reports whether the card is on the terminal's exception file (B4 6.3.5).
	Blocked func(card *CardInfo) bool

	// LastAmount is the amount, in minor units, of the latest approved transaction
	// of the same card in the terminal's log, or 0 (B3 10.6.1).
	LastAmount func(card *CardInfo) int64

	// Observe is told of each step.
	Observe func(Step)
}

// A PINStatus is how the capture of a PIN ended.
type PINStatus int

// The ends of a PIN entry.
const (
	PINEntered  PINStatus = iota + 1
	PINBypassed           // the cardholder has no PIN or does not want to give it
	PINPadFault           // there is no PIN pad or it does not work
)

// A PINPrompt is what a screen needs for an offline PIN.
type PINPrompt struct {
	TriesLeft int  // 0 when the card does not say
	LastTry   bool // one wrong PIN more blocks the PIN
	Retry     bool // the PIN before was wrong
}

// CardInfo is what was read from the card, for routing, screens and receipts.
type CardInfo struct {
	AID            []byte        // DF name of the application
	Label          string        // 50, ISO 8859-1 letters
	PreferredName  string        // 9F12 in code table CodeTable
	CodeTable      int           // 9F11, part of ISO 8859; 0 when there is none
	Languages      string        // 5F2D, two letters each, best first
	PAN            secret.Secret // ASCII digits
	Track2         secret.Secret // value of 57, empty when the card has none
	Sequence       int           // 5F34, -1 when the card has none: no DE 23 then
	Expiry         string        // YYMMDD
	ServiceCode    string        // 5F30, three digits, or empty
	IssuerCountry  int           // 5F28, 0 when the card has none
	CardholderName secret.Secret // 5F20
}

// wipe clears the secrets.
func (c *CardInfo) wipe() {
	c.PAN.Wipe()
	c.Track2.Wipe()
	c.CardholderName.Wipe()
}

// takeText is a Secret of text that was made for it.
func takeText(text string) secret.Secret { return secret.Take([]byte(text)) }
