package vectors

import (
	"bytes"
	"context"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/ber"
)

// A cardReading is what the answers of a recorded card session say.
type cardReading struct {
	selected    any // DF name, or nil
	data        map[string]any
	cryptograms []any
}

// cardSession replays a recorded session command by command and reads what the
// card answered, as a terminal does.
func cardSession(in Input) (map[string]any, error) {
	card := &replay{left: in.Exchanges("apdus")}
	r := cardReading{data: map[string]any{}, cryptograms: []any{}}
	for len(card.left) > 0 {
		capdu := card.left[0].C
		rapdu, err := card.Transmit(context.Background(), capdu)
		if err != nil {
			return nil, err
		}
		command, err := transport.ParseCommand(capdu)
		if err != nil {
			return nil, err
		}
		at := len(rapdu) - 2
		r.read(command, rapdu[:at], bytes.Equal(rapdu[at:], []byte{0x90, 0x00}))
	}
	return map[string]any{"selected": r.selected, "data": r.data, "cryptograms": r.cryptograms}, nil
}

func (r *cardReading) read(c transport.Command, data []byte, ok bool) {
	if !ok {
		return
	}
	switch c.INS {
	case 0xA4:
		r.readSelect(data)
	case 0xA8:
		r.readOptions(data)
	case 0xB2:
		r.objects(data, emv.TagRecord)
	case 0xAE:
		r.readCryptogram(c, data)
	}
}

// readSelect takes an application, not a directory, as selected. Its data begin
// anew with it.
func (r *cardReading) readSelect(data []byte) {
	fci, err := kernel.ParseFCI(data)
	if err != nil || bytes.HasSuffix(fci.Name, []byte(".SYS.DDF01")) {
		return
	}
	r.selected, r.data = fci.Name, map[string]any{}
	r.objects(data, emv.TagFCI)
}

// readOptions takes AIP and AFL of format 1, or the objects of format 2, which
// has no AFL on contactless cards that need no record.
func (r *cardReading) readOptions(data []byte) {
	r.objects(data, emv.TagResponse2)
	if p, err := kernel.ParseProcessingOptions(data); err == nil {
		r.first(emv.TagAIP, p.AIP)
		r.first(emv.TagAFL, p.AFL)
	}
}

// objects notes the primitive objects of an answer that is one template.
func (r *cardReading) objects(data []byte, template emv.Tag) {
	nodes, err := ber.Parse(data, ber.Limits{})
	if err != nil || len(nodes) == 0 || nodes[0].Tag != uint32(template) {
		return
	}
	for n := range ber.All(nodes) {
		if !n.Constructed() {
			r.first(emv.Tag(n.Tag), n.Value)
		}
	}
}

// first notes a value unless the tag has one.
func (r *cardReading) first(tag emv.Tag, value []byte) {
	if _, ok := r.data[tag.String()]; !ok {
		r.data[tag.String()] = value
	}
}

func (r *cardReading) readCryptogram(c transport.Command, data []byte) {
	g, err := kernel.ParseGenerateAC(data)
	if err != nil {
		return
	}
	r.cryptograms = append(r.cryptograms, map[string]any{
		"p1": []byte{c.P1}, "cid": []byte{byte(g.CID)}, "atc": g.ATC,
		"ac": orNull(g.Cryptogram), "iad": orNull(g.IAD),
	})
}

// orNull is a value that may not exist.
func orNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
