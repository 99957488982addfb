package vectors

import (
	"fmt"

	"tallystick.example/internal/pure/mac"
)

// macOps are message authentication codes and key check values.
func macOps() map[string]Op {
	return map[string]Op{
		"mac.iso9797": iso9797,
		"mac.cmac":    cmac,
		"key.kcv": func(in Input) (map[string]any, error) {
			kcv, err := mac.KCV(mac.KCVAlgorithm(in.Text("algorithm")), in.Hex("key"), in.Int("length"))
			return map[string]any{"kcv": kcv}, err
		},
	}
}

func iso9797(in Input) (map[string]any, error) {
	sum := mac.Algorithm3
	switch n := in.Number("algorithm"); n {
	case 1:
		sum = mac.Algorithm1
	case 3:
	default:
		return nil, fmt.Errorf("no algorithm %d", n)
	}
	m, err := sum(in.Hex("key"), in.Hex("data"), mac.Padding(in.Int("padding")))
	if err != nil {
		return nil, err
	}
	cut, err := leftmost(m[:], in.Int("length"))
	return map[string]any{"mac": cut}, err
}

func cmac(in Input) (map[string]any, error) {
	sum := mac.CMACAES
	switch c := in.Text("cipher"); c {
	case "aes":
	case "tdes":
		sum = mac.CMACTDES
	default:
		return nil, fmt.Errorf("no cipher %q", c)
	}
	m, err := sum(in.Hex("key"), in.Hex("data"))
	return map[string]any{"mac": m}, err
}

// leftmost is the first n bytes of a code.
func leftmost(code []byte, n int) ([]byte, error) {
	if n < 1 || n > len(code) {
		return nil, fmt.Errorf("length %d, the code has %d bytes", n, len(code))
	}
	return code[:n], nil
}
