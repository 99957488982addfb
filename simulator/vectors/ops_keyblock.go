package vectors

import "tallystick.example/dukpt/keyblock"

// keyblockOps are key blocks of TR-31, X9.143 and ISO 20038.
func keyblockOps() map[string]Op {
	return map[string]Op{"keyblock.unwrap": unwrap}
}

func unwrap(in Input) (map[string]any, error) {
	block := in.Text("block")
	h, key, err := keyblock.Unwrap(in.Hex("kbpk"), block)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"header": map[string]any{
			"version": string(rune(h.Version)), "length": len(block), "usage": h.Usage,
			"algorithm": string(rune(h.Algorithm)), "mode": string(rune(h.Mode)), "key_version": h.KeyVersion,
			"exportability": string(rune(h.Exportability)), "optional_blocks": len(h.Optional),
		},
		"key": key,
	}, nil
}
