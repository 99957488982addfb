package card

import (
	"bytes"

	"tallystick.example/emv"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/ber"
)

const (
	pseName = "1PAY.SYS.DDF01"
	pseSFI  = 1
)

// selectFile is SELECT by name (EMV Book 1, 11.3): the first application whose
// name begins with the one asked for, or with P2 = 02 the next one.
func (c *Card) selectFile(cmd transport.Command) (transport.Response, error) {
	if cmd.P1 != 0x04 || cmd.P2 != 0x00 && cmd.P2 != 0x02 {
		return refuse(swP1P2)
	}
	if len(cmd.Data) < 5 || len(cmd.Data) > 16 {
		return refuse(swLength)
	}
	next := cmd.P2 == 0x02
	if next && !bytes.Equal(cmd.Data, c.listName) {
		return refuse(swNotFound)
	}
	if string(cmd.Data) == pseName {
		if !c.profile.PSE || next {
			return refuse(swNotFound)
		}
		c.Reset()
		c.inPSE = true
		c.listName = cmd.Data
		return answer(c.pseInformation())
	}
	at := 0
	if next {
		at = c.listAt
	}
	for ; at < len(c.apps); at++ {
		if bytes.HasPrefix(c.apps[at].aid, cmd.Data) {
			return c.selectApp(c.apps[at], cmd.Data, at+1)
		}
	}
	return refuse(swNotFound)
}

func (c *Card) selectApp(a *app, name []byte, next int) (transport.Response, error) {
	c.Reset()
	c.selected, c.listName, c.listAt = a, name, next
	if a.state.Blocked {
		return transport.Response{Data: a.fci, SW: swBlockedFile}, nil
	}
	return answer(a.fci)
}

// pseInformation is the answer to SELECT of the payment system environment
// (EMV Book 1, table 43).
func (c *Card) pseInformation() []byte {
	prop := ber.Append(nil, uint32(emv.TagSFI), []byte{pseSFI})
	prop = ber.Append(prop, uint32(emv.TagLanguage), []byte(c.apps[0].profile.Language))
	fci := ber.Append(nil, uint32(emv.TagDFName), []byte(pseName))
	fci = ber.Append(fci, uint32(emv.TagFCIProprietary), prop)
	return ber.Append(nil, uint32(emv.TagFCI), fci)
}

// directoryRecord is the record of one application in the directory (EMV Book
// 1, table 46).
func (a *app) directoryRecord() []byte {
	entry := ber.Append(nil, uint32(emv.TagAID), a.aid)
	entry = ber.Append(entry, uint32(emv.TagLabel), []byte(a.profile.Label))
	if a.profile.Priority > 0 {
		entry = ber.Append(entry, uint32(emv.TagPriority), []byte{a.profile.priorityByte()})
	}
	if a.profile.PreferredName != "" {
		entry = ber.Append(entry, uint32(emv.TagPreferredName), []byte(a.profile.PreferredName))
	}
	return ber.Append(nil, uint32(emv.TagRecord), ber.Append(nil, uint32(emv.TagDirectoryEntry), entry))
}

// readRecord is READ RECORD (EMV Book 3, 6.5.11): of the directory while the
// payment system environment is selected, else of the application.
func (c *Card) readRecord(cmd transport.Command) (transport.Response, error) {
	sfi := cmd.P2 >> 3
	if cmd.P2&0x07 != 0x04 || cmd.P1 == 0 {
		return refuse(swP1P2)
	}
	if c.inPSE {
		if sfi != pseSFI {
			return refuse(swNotFound)
		}
		if int(cmd.P1) > len(c.apps) {
			return refuse(swNoRecord)
		}
		return answer(c.apps[cmd.P1-1].directoryRecord())
	}
	if c.selected == nil {
		return refuse(swConditions)
	}
	record, there := c.selected.records[recordKey{sfi, cmd.P1}]
	if !there {
		return refuse(swNoRecord)
	}
	return answer(record)
}
