package card

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"tallystick.example/emv"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/ber"
)

// getProcessingOptions begins a transaction (EMV Book 3, 6.5.8): the transaction
// counter goes up, durably, before the terminal learns anything.
func (c *Card) getProcessingOptions(cmd transport.Command) (transport.Response, error) {
	a := c.selected
	if a == nil || c.tx.open || a.state.Blocked {
		return refuse(swConditions)
	}
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return refuse(swP1P2)
	}
	nodes, err := ber.Parse(cmd.Data, ber.Limits{MaxDepth: 1, MaxObjects: 1})
	if err != nil || len(nodes) != 1 || nodes[0].Tag != uint32(emv.TagCommandTemplate) {
		return refuse(swData)
	}
	if len(nodes[0].Value) != a.pdol.Len() {
		return refuse(swLength)
	}
	if a.state.ATC == math.MaxUint16 {
		return refuse(swConditions) // the counter is spent: the card has come to its end
	}
	if !c.profile.Faults.ReplayATC || a.state.ATC == 0 {
		a.state.ATC++
	}
	if err := c.store.Save(); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	c.tx = transaction{open: true, fields: split(a.pdol, nodes[0].Value), signed: [][]byte{nodes[0].Value}}
	if a.profile.Template == 1 {
		return answer(ber.Append(nil, uint32(emv.TagResponse1), append(append([]byte(nil), a.aip...), a.afl...)))
	}
	body := ber.Append(nil, uint32(emv.TagAIP), a.aip)
	return answer(ber.Append(nil, uint32(emv.TagResponse2), ber.Append(body, uint32(emv.TagAFL), a.afl)))
}

// split gives each object of a list its bytes.
func split(list emv.DOL, data []byte) cryptogram.Fields {
	fields := cryptogram.Fields{}
	for _, e := range list {
		fields[uint32(e.Tag)] = data[:e.Length:e.Length]
		data = data[e.Length:]
	}
	return fields
}

// getData is GET DATA (EMV Book 3, 6.5.7) for the counters.
func (c *Card) getData(cmd transport.Command) (transport.Response, error) {
	if c.selected == nil {
		return refuse(swConditions)
	}
	tag := emv.Tag(cmd.P1)<<8 | emv.Tag(cmd.P2)
	var value []byte
	switch s := c.selected.state; tag {
	case emv.TagATC:
		value = binary.BigEndian.AppendUint16(nil, s.ATC)
	case emv.TagLastOnlineATC:
		value = binary.BigEndian.AppendUint16(nil, s.LastOnlineATC)
	case emv.TagPINTries:
		value = []byte{byte(c.store.state.PINTries)}
	default:
		return refuse(swNoData)
	}
	return answer(ber.Append(nil, uint32(tag), value))
}

// getChallenge is GET CHALLENGE (EMV Book 3, 6.5.6): 8 unpredictable bytes.
func (c *Card) getChallenge(cmd transport.Command) (transport.Response, error) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return refuse(swP1P2)
	}
	out := make([]byte, 8)
	if _, err := io.ReadFull(c.random, out); err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	c.tx.challenge = out
	return answer(out)
}
