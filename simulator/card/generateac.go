package card

import (
	"encoding/binary"
	"fmt"
	"maps"

	"tallystick.example/emv"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
)

// Cryptogram types as in bits 8 and 7 of P1 and tag 9F27 (EMV Book 3, tables 12
// and 15).
const (
	typeAAC  = 0x00
	typeTC   = 0x40
	typeARQC = 0x80
	typeRFU  = 0xC0
)

// combinedBit of P1 asks for a combined signature (EMV Book 3, table 12).
const combinedBit = 0x10

// firstGenerateAC is the first GENERATE AC (EMV Book 3, 6.5.5, 9): the card
// answers what was asked for, or something lower.
func (c *Card) firstGenerateAC(cmd transport.Command) (transport.Response, error) {
	fields, sw := c.acCommand(cmd, func(a *app) emv.DOL { return a.cdol1 })
	if sw != 0 {
		return refuse(sw)
	}
	asked := cmd.P1 & typeRFU
	c.tx.fields = fields
	c.tx.signed = append(c.tx.signed[:1:1], cmd.Data)
	c.tx.first = c.decideFirst(asked)
	c.tx.firstDone = true
	c.tx.unableOnline = false
	c.tx.combined[0] = signs(cmd, c.tx.first)
	ac, iad, err := c.cryptogram()
	if err != nil {
		return transport.Response{}, err
	}
	c.tx.ac = ac
	response, err := c.acResponse(c.tx.first, c.tx.combined[0], ac, iad)
	if err != nil {
		return transport.Response{}, err
	}
	c.closeFirst()
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	return answer(response)
}

// acCommand checks what both commands have in common and takes the objects of
// the list apart. sw is 0 when all is well.
func (c *Card) acCommand(cmd transport.Command, list func(*app) emv.DOL) (cryptogram.Fields, uint16) {
	switch {
	case c.selected == nil || !c.tx.open || c.tx.second != nil:
		return nil, swConditions
	case cmd.P1&^(typeRFU|combinedBit) != 0 || cmd.P1&typeRFU == typeRFU || cmd.P2 != 0:
		return nil, swP1P2
	case cmd.P1&combinedBit != 0 && (cmd.P1&typeRFU == typeAAC || !c.selected.profile.ODA.offers("cda")):
		return nil, swP1P2 // no combined signature with an AAC (EMV Book 2, 6.6)
	case len(cmd.Data) != list(c.selected).Len():
		return nil, swLength
	}
	fields := maps.Clone(c.tx.fields)
	maps.Copy(fields, split(list(c.selected), cmd.Data))
	fields[uint32(emv.TagAIP)] = c.selected.aip
	fields[uint32(emv.TagATC)] = binary.BigEndian.AppendUint16(nil, c.selected.state.ATC)
	return fields, 0
}

// decideFirst is the card's own risk management.
func (c *Card) decideFirst(asked byte) byte {
	switch {
	case c.profile.Faults.AlwaysTC:
		return typeTC
	case asked == typeAAC || c.selected.state.Blocked:
		return typeAAC
	case asked == typeARQC:
		return typeARQC
	case c.offlineAllowed():
		return typeTC
	case c.offlineTerminal():
		return typeAAC
	default:
		return typeARQC
	}
}

// offlineAllowed tells whether the card approves without its issuer.
func (c *Card) offlineAllowed() bool {
	r := c.selected.profile.Risk
	amount := fromBCD(c.tx.fields[uint32(emv.TagAmount)])
	return !c.overLimit() && r.OfflineLimit > 0 && amount <= r.OfflineAmount
}

func (c *Card) overLimit() bool {
	return c.selected.state.Offline >= c.selected.profile.Risk.OfflineLimit && c.selected.profile.Risk.OfflineLimit > 0
}

// offlineTerminal reads tag 9F35, where the list asks for it: types x3 and x6
// cannot go online (EMV Book 4, Annex A1).
func (c *Card) offlineTerminal() bool {
	t := c.tx.fields[uint32(emv.TagTerminalType)]
	return len(t) == 1 && (t[0]&0x0F == 3 || t[0]&0x0F == 6)
}

func (c *Card) closeFirst() {
	s := c.selected.state
	switch c.tx.first {
	case typeARQC:
		s.OnlineOpen = true
	case typeTC:
		s.Offline++
	}
}

// cryptogram computes the application cryptogram over the fields of the
// transaction and the issuer application data.
func (c *Card) cryptogram() (cryptogram.AC, []byte, error) {
	a := c.selected
	iad := c.issuerApplicationData()
	c.tx.fields[uint32(emv.TagIAD)] = iad
	key := a.cardKey
	if c.profile.Faults.WrongKey {
		wrong := append([]byte(nil), key.Expose()...)
		for i := range wrong {
			wrong[i] ^= 0x5A
		}
		key = secret.Take(wrong)
		defer key.Wipe()
	}
	ac, err := a.version.Generate(key, c.tx.fields)
	if err != nil {
		// The lists of the profile leave out an object that the cryptogram needs.
		return cryptogram.AC{}, nil, fmt.Errorf("%w: computing the cryptogram: %w", ErrMute, err)
	}
	return ac, iad, nil
}

// signs tells whether the answer kind to cmd gets a combined signature: a card
// that declines does not sign (EMV Book 2, 6.6.1).
func signs(cmd transport.Command, kind byte) bool { return cmd.P1&combinedBit != 0 && kind != typeAAC }

// acResponse is format 1 or 2 of EMV Book 3, 6.5.5.4, or the one with a combined
// signature.
func (c *Card) acResponse(kind byte, combined bool, ac cryptogram.AC, iad []byte) ([]byte, error) {
	atc := binary.BigEndian.AppendUint16(nil, c.selected.state.ATC)
	if c.selected.profile.Template == 1 && !combined {
		body := append(append(append([]byte{kind}, atc...), ac[:]...), iad...)
		return ber.Append(nil, uint32(emv.TagResponse1), body), nil
	}
	body := ber.Append(nil, uint32(emv.TagCID), []byte{kind})
	body = ber.Append(body, uint32(emv.TagATC), atc)
	if combined {
		return c.combinedResponse(kind, ac, ber.Append(body, uint32(emv.TagIAD), iad))
	}
	body = ber.Append(body, uint32(emv.TagCryptogram), ac[:])
	return ber.Append(nil, uint32(emv.TagResponse2), ber.Append(body, uint32(emv.TagIAD), iad)), nil
}

// fromBCD is the number of packed digits.
func fromBCD(b []byte) int64 {
	var n int64
	for _, v := range b {
		n = n*100 + int64(v>>4)*10 + int64(v&0x0F)
	}
	return n
}
