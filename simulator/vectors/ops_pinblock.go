package vectors

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
)

// pinblockOps are the blocks of ISO 9564-1.
func pinblockOps() map[string]Op {
	return map[string]Op{
		"pinblock.encode":    encodePIN,
		"pinblock.decode":    decodePIN,
		"pinblock.encipher4": encipher4,
		"pinblock.decipher4": func(in Input) (map[string]any, error) {
			pin, err := pinblock.Decipher(pinblock.ISO4, in.Hex("key"), in.Hex("block"), []byte(in.Text("pan")))
			return map[string]any{"pin": string(pin)}, err
		},
		"pinblock.translate": translatePIN,
	}
}

// pan is the PAN of an input, which some formats do not need.
func pan(in Input) []byte {
	if !in.Has("pan") {
		return nil
	}
	return []byte(in.Text("pan"))
}

func encodePIN(in Input) (map[string]any, error) {
	f, pin := pinblock.Format(in.Int("format")), []byte(in.Text("pin"))
	if f == pinblock.ISO3 && in.Has("fill") {
		source, err := fillSource(in.Text("fill"), 14-len(pin))
		if err != nil {
			return nil, err
		}
		block, err := pinblock.Encode(f, pin, pan(in), source)
		return map[string]any{"block": block}, err
	}
	block, err := pinblock.Encode(f, pin, pan(in), rand.Reader)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"block": block}
	if f == pinblock.ISO3 { // the rest is random
		out = map[string]any{"prefix": Beginning(fmt.Sprintf("%X", block)[:2+len(pin)])}
	}
	return out, nil
}

// fillSource makes the random bytes that lead to these n fill digits of format 3.
func fillSource(fill string, n int) (io.Reader, error) {
	source := []byte(fill)
	for i, d := range source {
		if d < 'A' || d > 'F' {
			return nil, fmt.Errorf("fill digits are A to F")
		}
		source[i] = d - 'A'
	}
	if len(source) != n {
		return nil, fmt.Errorf("%d fill digits, the block has room for %d", len(source), n)
	}
	return bytes.NewReader(source), nil
}

func decodePIN(in Input) (map[string]any, error) {
	pin, err := pinblock.Decode(pinblock.Format(in.Int("format")), in.Hex("block"), pan(in))
	return map[string]any{"pin": string(pin)}, err
}

func encipher4(in Input) (map[string]any, error) {
	pin, pan, random := []byte(in.Text("pin")), []byte(in.Text("pan")), in.Hex("random")
	field, err := pinblock.Encode(pinblock.ISO4, pin, nil, bytes.NewReader(random))
	if err != nil {
		return nil, err
	}
	panField, err := pinblock.PANField(pan)
	if err != nil {
		return nil, err
	}
	block, err := pinblock.Encipher(pinblock.ISO4, in.Hex("key"), pin, pan, bytes.NewReader(random))
	return map[string]any{"pin_field": field, "pan_field": panField, "block": block}, err
}

func translatePIN(in Input) (map[string]any, error) {
	from, err := translateSide(in.Object("from"))
	if err != nil {
		return nil, err
	}
	to, err := translateSide(in.Object("to"))
	if err != nil {
		return nil, err
	}
	block, err := pinblock.Translate(from, to, in.Hex("block"), []byte(in.Text("pan")), rand.Reader)
	return map[string]any{"block": block}, err
}

// translateSide is a zone key as it is, or the PIN key of a transaction.
func translateSide(in Input) (pinblock.Side, error) {
	side := pinblock.Side{Format: pinblock.Format(in.Int("format"))}
	switch scheme := in.Text("scheme"); scheme {
	case "zone_tdes", "zone_aes":
		side.Key = in.Hex("key")
		return side, nil
	case "dukpt_tdes":
		return dukptSide(side, in, dukpt.TDES, dukpt.TDES2)
	case "dukpt_aes":
		t, err := dukpt.ParseKeyType(in.Text("key_type"))
		if err != nil {
			return side, err
		}
		return dukptSide(side, in, dukpt.AES, t)
	default:
		return side, fmt.Errorf("no scheme %q", scheme)
	}
}

func dukptSide(side pinblock.Side, in Input, s dukpt.Scheme, t dukpt.KeyType) (pinblock.Side, error) {
	ksn, err := dukpt.ParseKSN(s, in.Hex("ksn"))
	if err != nil {
		return side, err
	}
	base, err := dukpt.NewBase(s, in.Hex("bdk"))
	if err != nil {
		return side, err
	}
	side.Key, err = base.WorkingKey(ksn, t, dukpt.PINEncryption)
	return side, err
}
