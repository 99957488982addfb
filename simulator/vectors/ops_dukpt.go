package vectors

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
)

// dukptOps are the operations that both schemes have.
func dukptOps() map[string]Op {
	ops := make(map[string]Op)
	for name, s := range map[string]dukpt.Scheme{"tdes": dukpt.TDES, "aes": dukpt.AES} {
		prefix := "dukpt." + name + "."
		ops[prefix+"next_ksn"] = func(in Input) (map[string]any, error) { return nextKSN(s, in) }
		ops[prefix+"check_ksn"] = func(in Input) (map[string]any, error) { return checkKSN(s, in) }
		ops[prefix+"registers"] = func(in Input) (map[string]any, error) { return registers(s, in) }
		ops[prefix+"sequence"] = func(in Input) (map[string]any, error) { return sequence(s, in) }
	}
	return ops
}

// ksn reads the KSN of an input.
func ksn(s dukpt.Scheme, in Input) (dukpt.KSN, error) { return dukpt.ParseKSN(s, in.Hex("ksn")) }

// transaction reads the base key and KSN of an input.
func transaction(s dukpt.Scheme, in Input) (*dukpt.Base, dukpt.KSN, error) {
	k, err := ksn(s, in)
	if err != nil {
		return nil, k, err
	}
	base, err := dukpt.NewBase(s, in.Hex("bdk"))
	return base, k, err
}

func direction(in Input) (dukpt.Direction, error) {
	switch d := in.Text("direction"); d {
	case "request":
		return dukpt.Request, nil
	case "response":
		return dukpt.Response, nil
	default:
		return 0, fmt.Errorf("no direction %q", d)
	}
}

// macUsage and dataUsage are the usages of a direction.
func macUsage(d dukpt.Direction) dukpt.Usage {
	if d == dukpt.Request {
		return dukpt.MACGeneration
	}
	return dukpt.MACVerification
}

func dataUsage(d dukpt.Direction) dukpt.Usage {
	if d == dukpt.Request {
		return dukpt.DataEncryption
	}
	return dukpt.DataDecryption
}

func nextKSN(s dukpt.Scheme, in Input) (map[string]any, error) {
	k, err := ksn(s, in)
	if err != nil {
		return nil, err
	}
	n, err := k.Next()
	if errors.Is(err, dukpt.ErrExhausted) {
		return map[string]any{"exhausted": true}, nil
	}
	return map[string]any{"ksn": n.Bytes()}, err
}

func checkKSN(s dukpt.Scheme, in Input) (map[string]any, error) {
	k, err := ksn(s, in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"valid": k.Check() == nil}, nil
}

// initial loads the initial key of an input into a terminal.
func initial(s dukpt.Scheme, in Input) (*dukpt.State, error) {
	name := "initial_key_id"
	if s == dukpt.TDES {
		name = "iksn"
	}
	k, err := dukpt.ParseID(s, in.Hex(name))
	if err != nil {
		return nil, err
	}
	return dukpt.NewState(in.Hex("ik"), k)
}

func registers(s dukpt.Scheme, in Input) (map[string]any, error) {
	state, err := initial(s, in)
	if err != nil {
		return nil, err
	}
	k, err := ksn(s, in)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(k.Initial().Bytes(), state.KSN().Bytes()) {
		return nil, fmt.Errorf("the KSN is of another initial key")
	}
	after, key, err := state.KeyAt(k.Counter())
	if err != nil {
		return nil, err
	}
	return map[string]any{"key": key, "registers": after.Registers()}, nil
}

// maxSequence bounds a sequence; a TDES terminal makes 1,048,575 transactions.
const maxSequence = 1 << 21

func sequence(s dukpt.Scheme, in Input) (map[string]any, error) {
	state, err := initial(s, in)
	if err != nil {
		return nil, err
	}
	count := in.Number("count")
	if count < 0 || count > maxSequence {
		return nil, fmt.Errorf("count is outside 0 to %d", maxSequence)
	}
	hash := sha256.New()
	for range count {
		next, err := state.KSN().Next()
		if err != nil {
			return nil, err
		}
		after, key, err := state.KeyAt(next.Counter())
		if err != nil {
			return nil, err
		}
		hash.Write(next.Bytes())
		hash.Write(key)
		state.Wipe()
		state = after
	}
	return map[string]any{"sha256": hash.Sum(nil)}, nil
}

// encryptPIN enciphers the PIN of an input in format f under a PIN key.
func encryptPIN(f pinblock.Format, key []byte, in Input, random []byte) (map[string]any, error) {
	pin, pan := []byte(in.Text("pin")), []byte(in.Text("pan"))
	plain, err := pinblock.Encode(f, pin, pan, bytes.NewReader(random))
	if err != nil {
		return nil, err
	}
	block, err := pinblock.Encipher(f, key, pin, pan, bytes.NewReader(random))
	return map[string]any{"clear_block": plain, "block": slices.Clone(block)}, err
}
