package vectors

import (
	"bytes"
	"errors"
	"fmt"

	"tallystick.example/emv/transport"
	"tallystick.example/internal/reader/ccid"
)

// transportOps are answers to reset, command handling and frames of serial CCID
// readers.
func transportOps() map[string]Op {
	return map[string]Op{
		"emv.atr.check":       atrCheck,
		"emv.atr.parse":       atrParse,
		"iso7816.t0":          t0,
		"iso7816.apdu":        apdu,
		"reader.ccid.frame":   ccidFrame,
		"reader.ccid.unframe": ccidUnframe,
	}
}

func atrCheck(in Input) (map[string]any, error) {
	atr, err := transport.ParseATR(in.Hex("atr"))
	if err == nil {
		_, err = atr.CheckEMV(transport.ColdReset)
	}
	return map[string]any{"emv_ok": err == nil}, nil
}

func atrParse(in Input) (map[string]any, error) {
	atr, err := transport.ParseATR(in.Hex("atr"))
	if err != nil {
		return nil, err
	}
	characters := make(map[string]any)
	for _, b := range atr.Interface {
		characters[b.Name()] = []byte{b.Value}
	}
	protocols := make([]int, len(atr.Protocols))
	for i, p := range atr.Protocols {
		protocols[i] = int(p)
	}
	out := map[string]any{
		"convention": "direct", "interface": characters, "protocols": protocols, "historical": atr.Historical, "tck": nil,
	}
	if atr.Inverse {
		out["convention"] = "inverse"
	}
	if atr.TCK != nil {
		out["tck"] = atr.TCK
	}
	return out, nil
}

// machine is a command on its way: see package transport.
type machine interface {
	Send() []byte
	Receive([]byte) error
	Response() (transport.Response, bool)
}

func t0(in Input) (map[string]any, error) {
	m, err := transport.NewT0(in.Hex("command"))
	if err != nil {
		return nil, err
	}
	return exchange(in, m, m.Silence)
}

func apdu(in Input) (map[string]any, error) {
	m, err := transport.NewExchange(in.Hex("command"), transport.LevelAPDU)
	if err != nil {
		return nil, err
	}
	return exchange(in, m, func() error { return nil })
}

// exchange plays the exchanges of a case; blockEnd tells the machine that a
// block is whole.
func exchange(in Input, m machine, blockEnd func() error) (map[string]any, error) {
	for i, x := range in.Exchanges("exchanges") {
		if sent := m.Send(); !bytes.Equal(sent, x.C) {
			return nil, fmt.Errorf("exchange %d: another command was sent", i+1)
		}
		if err := errors.Join(m.Receive(x.R), blockEnd()); err != nil {
			return nil, fmt.Errorf("exchange %d: %w", i+1, err)
		}
	}
	r, done := m.Response()
	if !done {
		return nil, errors.New("the command is not finished after the last exchange")
	}
	return map[string]any{"data": r.Data, "sw": []byte{byte(r.SW >> 8), byte(r.SW)}}, nil
}

func ccidFrame(in Input) (map[string]any, error) {
	kind, params := in.Hex("type"), in.Hex("parameters")
	slot, sequence := in.Int("slot"), in.Int("sequence")
	if len(kind) != 1 || len(params) != 3 || slot != int(byte(slot)) || sequence != int(byte(sequence)) {
		return nil, errors.New("type, slot, sequence or parameters of a wrong size")
	}
	frame, err := ccid.AppendFrame(nil, ccid.Message{
		Type: ccid.Type(kind[0]), Slot: byte(slot), Seq: byte(sequence), Params: [3]byte(params), Data: in.Hex("data"),
	})
	return map[string]any{"frame": frame}, err
}

func ccidUnframe(in Input) (map[string]any, error) {
	m, err := ccid.ParseFrame(in.Hex("frame"))
	return map[string]any{
		"type": []byte{byte(m.Type)}, "slot": int(m.Slot), "sequence": int(m.Seq), "parameters": m.Params[:], "data": m.Data,
	}, err
}
