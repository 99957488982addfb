package card

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"tallystick.example/emv"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/emv/transport"
)

// externalAuthenticate checks the issuer's answer (EMV Book 3, 6.5.4). It is
// answered once in a transaction, after an ARQC; cards whose application
// interchange profile does not announce it refuse it.
func (c *Card) externalAuthenticate(cmd transport.Command) (transport.Response, error) {
	waiting := c.tx.firstDone && c.tx.first == typeARQC && c.tx.second == nil
	if c.selected == nil || !waiting || c.tx.issuerAuth != authNone || c.selected.aip[0]&0x04 == 0 {
		return refuse(swConditions)
	}
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return refuse(swP1P2)
	}
	if len(cmd.Data) < 8 || len(cmd.Data) > 16 {
		return refuse(swLength)
	}
	if err := c.checkIssuer(cmd.Data); err != nil {
		return transport.Response{}, err
	}
	if c.tx.issuerAuth == authFailed {
		return refuse(swAuthFailed)
	}
	return refuse(swOK)
}

// checkIssuer checks issuer authentication data by every method that the card
// accepts and notes whether the issuer approves.
func (c *Card) checkIssuer(data []byte) error {
	a := c.selected
	key, err := a.version.ARPCKey(a.cardKey, c.tx.fields)
	if err != nil {
		return fmt.Errorf("%w: deriving the key of the issuer's answer: %w", ErrMute, err)
	}
	defer key.Wipe()
	c.tx.issuerAuth = authFailed
	for _, method := range a.profile.Keys.ARPCMethods {
		auth, err := cryptogram.VerifyIssuerAuth(key, c.tx.ac, method, data)
		if err == nil {
			c.tx.issuerAuth, c.tx.approved = authRight, approves(auth)
			break
		}
		if !errors.Is(err, cryptogram.ErrMismatch) && !errors.Is(err, cryptogram.ErrInput) {
			return fmt.Errorf("%w: checking the issuer's answer: %w", ErrMute, err)
		}
	}
	if c.profile.Faults.AcceptARPC {
		c.tx.issuerAuth, c.tx.approved = authRight, true
	}
	if c.profile.Faults.RefuseARPC {
		c.tx.issuerAuth, c.tx.approved = authFailed, false
	}
	return nil
}

// approvals are the authorisation response codes that approve (ISO 8583:1987,
// DE 39).
var approvals = [][]byte{[]byte("00"), []byte("08"), []byte("10"), []byte("11")}

// approves reads the issuer's decision: a code in letters, M/Chip's bit 5 of the
// second byte, or bit 8 of the second byte of a card status update (EMV Book 3,
// Annex C8).
func approves(a cryptogram.IssuerAuth) bool {
	if a.Method == 2 {
		return a.CSU[1]&0x80 != 0
	}
	if a.ARC[0] >= '0' {
		return slices.ContainsFunc(approvals, func(v []byte) bool { return bytes.Equal(v, a.ARC) })
	}
	return a.ARC[1]&0x10 != 0
}

// secondGenerateAC ends the transaction (EMV Book 3, 10.11). The terminal asks
// for TC or AAC; the card answers TC only when it trusts the answer.
func (c *Card) secondGenerateAC(cmd transport.Command) (transport.Response, error) {
	if c.tx.first != typeARQC {
		return refuse(swConditions)
	}
	first := c.tx.fields
	fields, sw := c.acCommand(cmd, func(a *app) emv.DOL { return a.cdol2 })
	if sw != 0 {
		return refuse(sw)
	}
	asked := cmd.P1 & typeRFU
	if asked == typeARQC {
		return refuse(swP1P2)
	}
	c.tx.signed = append(c.tx.signed[:2:2], cmd.Data)
	c.tx.fields = first // the issuer's answer is about the first cryptogram
	if auth := fields[uint32(emv.TagIssuerAuth)]; c.tx.issuerAuth == authNone && !zero(auth) {
		if err := c.checkIssuer(trimAuth(auth)); err != nil {
			return transport.Response{}, err
		}
	}
	c.tx.fields = fields
	kind := c.decideSecond(asked)
	c.tx.second = &kind
	c.tx.combined[1] = signs(cmd, kind)
	ac, iad, err := c.cryptogram()
	if err != nil {
		return transport.Response{}, err
	}
	response, err := c.acResponse(kind, c.tx.combined[1], ac, iad)
	if err != nil {
		return transport.Response{}, err
	}
	c.closeSecond(kind)
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	return answer(response)
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// trimAuth cuts the filling of a list entry that is longer than the issuer's
// answer: data of method 1 have 10 bytes and those of method 2 at least 8.
func trimAuth(b []byte) []byte {
	for _, n := range []int{10, 8} {
		if len(b) > n && zero(b[n:]) {
			return b[:n]
		}
	}
	return b
}

// decideSecond is TC or AAC. ARC Y3 and Z3 say that the terminal could not go
// online (EMV Book 4, Annex A6).
func (c *Card) decideSecond(asked byte) byte {
	arc := string(c.tx.fields[uint32(emv.TagARC)])
	c.tx.unableOnline = arc == "Y3" || arc == "Z3"
	trusted := c.tx.issuerAuth == authRight && c.tx.approved ||
		c.tx.issuerAuth == authNone && !c.selected.profile.Risk.IssuerAuthRequired
	switch {
	case c.profile.Faults.AlwaysTC:
		return typeTC
	case asked == typeAAC || c.profile.Faults.DeclineARC || c.selected.state.Blocked:
		return typeAAC
	case c.tx.unableOnline && !c.offlineAllowed():
		return typeAAC
	case c.tx.unableOnline || trusted:
		return typeTC
	default:
		return typeAAC
	}
}

// closeSecond keeps what the next transaction must know.
func (c *Card) closeSecond(kind byte) {
	s := c.selected.state
	s.IssuerAuthFailed = c.tx.issuerAuth == authFailed
	if c.tx.unableOnline {
		if kind == typeTC {
			s.Offline++
		}
		return
	}
	s.OnlineOpen = false
	s.Scripts, s.ScriptFailed = 0, false
	if c.tx.issuerAuth == authRight {
		s.Offline, s.LastOnlineATC = 0, s.ATC
	}
}
