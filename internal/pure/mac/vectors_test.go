package mac_test

import (
	"testing"

	"tallystick.example/internal/pure/mac"
	"tallystick.example/testvectors/vectortest"
)

func TestISO9797Vectors(t *testing.T) {
	sums := map[int]func(key, data []byte, p mac.Padding) ([mac.BlockSize]byte, error){1: mac.Algorithm1, 3: mac.Algorithm3}
	for _, v := range vectortest.Load(t, "mac", "mac.iso9797") {
		got, err := sums[v.Int("algorithm")](v.Hex("key"), v.Hex("data"), mac.Padding(v.Int("padding")))
		v.Check(t, "mac", got[:v.Int("length")], err)
	}
}

func TestCMACVectors(t *testing.T) {
	sums := map[string]func(key, data []byte) ([]byte, error){"tdes": mac.CMACTDES, "aes": mac.CMACAES}
	for _, v := range vectortest.Load(t, "mac", "mac.cmac") {
		got, err := sums[v.Text("cipher")](v.Hex("key"), v.Hex("data"))
		v.Check(t, "mac", got, err)
	}
}

func TestKCVVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "key_check_value", "key.kcv") {
		got, err := mac.KCV(mac.KCVAlgorithm(v.Text("algorithm")), v.Hex("key"), v.Int("length"))
		v.Check(t, "kcv", got, err)
	}
}
