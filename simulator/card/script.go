package card

import (
	"encoding/binary"
	"fmt"
	"slices"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/mac"
)

// Instructions of issuer scripts (EMV Book 3, 6.5).
const (
	insCardBlock    = 0x16
	insAppUnblock   = 0x18
	insAppBlock     = 0x1E
	insPINUnblock   = 0x24
	insPutData      = 0xDA
	insUpdateRecord = 0xDC
)

// maxScripts bounds the script commands of one transaction.
const maxScripts = 16

func isScript(c transport.Command) bool {
	switch c.INS {
	case insCardBlock, insAppUnblock, insAppBlock, insPINUnblock, insPutData, insUpdateRecord:
		return c.CLA == 0x84 || c.CLA == 0x8C || c.CLA == 0x04
	}
	return false
}

// script carries out a command of the issuer after its MAC was found right. This
// card can be blocked and unblocked, as a whole and by application, and gets its
// PIN tries back; it refuses to change a PIN or data.
func (c *Card) script(cmd transport.Command) (transport.Response, error) {
	if c.selected == nil || !c.tx.firstDone || c.tx.scriptCount >= maxScripts {
		return refuse(swConditions)
	}
	c.tx.scriptCount++
	state := c.selected.state
	sw, err := c.scriptMAC(cmd)
	if err != nil {
		return transport.Response{}, err
	}
	if sw == swOK {
		sw = c.carryOut(cmd)
	}
	if sw == swOK {
		state.Scripts++
	} else {
		state.ScriptFailed = true
	}
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	return refuse(sw)
}

func (c *Card) carryOut(cmd transport.Command) uint16 {
	switch {
	case cmd.INS == insPutData || cmd.INS == insUpdateRecord:
		return swFunction
	case cmd.P1 != 0:
		return swP1P2
	}
	switch cmd.INS {
	case insCardBlock:
		c.store.state.Blocked = true
	case insAppBlock:
		c.selected.state.Blocked = true
	case insAppUnblock:
		c.selected.state.Blocked = false
	case insPINUnblock:
		if cmd.P2 != 0 {
			return swFunction
		}
		c.store.state.PINTries = c.profile.PINTryLimit
	}
	return swOK
}

// scriptMAC checks the MAC at the end of a script command: 4 to 8 bytes over
// header, ATC, cryptogram and the data before it. A card without a key for
// scripts takes only commands without one.
func (c *Card) scriptMAC(cmd transport.Command) (uint16, error) {
	a := c.selected
	if a.scriptKey.IsZero() {
		if len(cmd.Data) > 0 {
			return swSecureMessaging, nil
		}
		return swOK, nil
	}
	if len(cmd.Data) < mac.MinLength || len(cmd.Data) > len(cryptogram.AC{}) {
		return swSecureMessaging, nil
	}
	atc := binary.BigEndian.AppendUint16(nil, a.state.ATC)
	session, reference := c.scriptSession(atc)
	key, err := session.Key(a.scriptKey)
	if err != nil {
		return 0, fmt.Errorf("%w: deriving the script key: %w", ErrMute, err)
	}
	defer key.Wipe()
	header := []byte{cmd.CLA, cmd.INS, cmd.P1, cmd.P2, byte(len(cmd.Data))}
	want, err := cryptogram.ScriptMAC(key, header, slices.Concat(atc, reference), nil)
	if err != nil {
		return 0, fmt.Errorf("%w: checking the script: %w", ErrMute, err)
	}
	if !mac.Verify(want[:], cmd.Data) {
		return swSecureMessaging, nil
	}
	return swOK, nil
}

// scriptSession is how the script key of this transaction comes about, and the
// cryptogram that enters the MAC: Visa's CVN 10 and 18 use the ATC, the others
// the cryptogram, which M/Chip counts up by one for each command.
func (c *Card) scriptSession(atc []byte) (cryptogram.Session, []byte) {
	reference := append([]byte(nil), c.tx.ac[:]...)
	switch c.selected.layout {
	case iadVisa:
		return cryptogram.Session{Method: cryptogram.SessionVisaSM, ATC: atc}, reference
	case iadMChip:
		counted := binary.BigEndian.Uint64(reference) + uint64(c.tx.scriptCount-1)
		binary.BigEndian.PutUint64(reference, counted)
	}
	return cryptogram.Session{Method: cryptogram.SessionCommonR, R: reference}, reference
}
