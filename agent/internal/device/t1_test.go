package device

import (
	"bytes"
	"testing"

	"tallystick.example/emv/transport"
	"tallystick.example/internal/reader/ccid"
)

// TestT1 carries commands to a card of T=1, whose answer comes in a chain, with
// a mute moment in between.
func TestT1(t *testing.T) {
	card := transport.NewCardT1()
	play := func(block []byte) []byte {
		send, command := card.Receive(block)
		switch {
		case command == nil:
			return send
		case command[1] == 0xB2:
			return card.Answer(transport.Response{Data: bytes.Repeat([]byte{0x70}, 254), SW: 0x9000})
		}
		return card.Answer(transport.Response{Data: []byte{0x6F, 0}, SW: 0x9000})
	}
	blocks := 0
	w, r := start(t, func(w *twin, c ccid.Message) bool {
		switch c.Type {
		case ccid.PowerOn:
			w.send(ccid.Message{Type: ccid.DataBlock, Seq: c.Seq, Data: unhex("3be000008131204535")})
		case ccid.XfrBlock:
			blocks++
			m := ccid.Message{Type: ccid.DataBlock, Seq: c.Seq}
			if blocks == 2 {
				m.Params = ccid.Status(ccid.CardActive, ccid.Failed, ccid.CodeMute, 0)
			} else {
				m.Data = play(c.Data)
			}
			w.send(m)
		default:
			return false
		}
		return true
	})
	ready(t, r)
	c, err := r.PowerOn(t.Context(), nil)
	ok(t, err)
	_, err = c.Transmit(t.Context(), selectPSE)
	ok(t, err)
	got, err := c.Transmit(t.Context(), unhex("00b2010c00"))
	ok(t, err)
	if len(got) != 256 || !bytes.Equal(got[254:], []byte{0x90, 0}) {
		t.Errorf("record of %d bytes", len(got))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.commands {
		if m.Type == ccid.SetParameters && (m.Params[0] != 1 || len(m.Data) != 7) {
			t.Errorf("parameters %x for protocol %d", m.Data, m.Params[0])
		}
	}
	if blocks < 5 {
		t.Errorf("%d blocks: the answer did not come in a chain", blocks)
	}
}
