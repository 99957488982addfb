package ber_test

import (
	"testing"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/testvectors"
	"tallystick.example/testvectors/vectortest"
)

func TestVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_tlv", "emv.tlv.decode") {
		nodes, err := ber.Parse(v.Hex("data"), ber.Limits{})
		v.Check(t, "objects", tree(nodes), err)
	}
}

func tree(nodes []ber.Node) []any {
	list := []any{}
	for _, n := range nodes {
		o := map[string]any{"tag": testvectors.Hex(ber.TagBytes(n.Tag))}
		if n.Constructed() {
			o["children"] = tree(n.Children)
		} else {
			o["value"] = testvectors.Hex(n.Value)
		}
		list = append(list, o)
	}
	return list
}
