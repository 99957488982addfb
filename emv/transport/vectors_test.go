package transport_test

import (
	"bytes"
	"testing"

	"tallystick.example/emv/transport"
	"tallystick.example/testvectors/vectortest"
)

type machine interface {
	Send() []byte
	Receive([]byte) error
	Response() (transport.Response, bool)
}

// replay plays the exchanges of a case against m.
func replay(t *testing.T, v vectortest.Vector, m machine, silence func() error) transport.Response {
	t.Helper()
	for i, x := range v.Exchanges("exchanges") {
		if sent := m.Send(); !bytes.Equal(sent, x.C) {
			t.Fatalf("exchange %d sent %X, want %X", i, sent, x.C)
		}
		if err := m.Receive(x.R); err != nil {
			t.Fatalf("exchange %d: %v", i, err)
		}
		if err := silence(); err != nil {
			t.Fatalf("exchange %d: %v", i, err)
		}
	}
	r, done := m.Response()
	if !done || m.Send() != nil {
		t.Fatal("not done after the last exchange")
	}
	return r
}

func TestT0Vectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "iso7816", "iso7816.t0") {
		t.Run(v.Name, func(t *testing.T) {
			m, err := transport.NewT0(v.Hex("command"))
			if err != nil {
				t.Fatal(err)
			}
			r := replay(t, v, m, m.Silence)
			v.Check(t, "data", r.Data, nil)
			v.Check(t, "sw", []byte{byte(r.SW >> 8), byte(r.SW)}, nil)
		})
	}
}

func TestExchangeVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "iso7816", "iso7816.apdu") {
		t.Run(v.Name, func(t *testing.T) {
			m, err := transport.NewExchange(v.Hex("command"), transport.LevelAPDU)
			if err != nil {
				t.Fatal(err)
			}
			r := replay(t, v, m, func() error { return nil })
			v.Check(t, "data", r.Data, nil)
			v.Check(t, "sw", []byte{byte(r.SW >> 8), byte(r.SW)}, nil)
		})
	}
}

func TestATRVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_atr") {
		t.Run(v.Name, func(t *testing.T) {
			atr, err := transport.ParseATR(v.Hex("atr"))
			if v.Op == "emv.atr.check" {
				if err == nil {
					_, err = atr.CheckEMV(transport.ColdReset)
				}
				v.Check(t, "emv_ok", err == nil, nil)
				return
			}
			convention := map[bool]string{false: "direct", true: "inverse"}[atr.Inverse]
			v.Check(t, "convention", convention, err)
			chars := map[string]any{}
			for _, b := range atr.Interface {
				chars[b.Name()] = []byte{b.Value}
			}
			v.Check(t, "interface", chars, err)
			protocols := []any{}
			for _, p := range atr.Protocols {
				protocols = append(protocols, int(p))
			}
			v.Check(t, "protocols", protocols, err)
			v.Check(t, "historical", atr.Historical, err)
			var tck any
			if atr.TCK != nil {
				tck = atr.TCK
			}
			v.Check(t, "tck", tck, err)
		})
	}
}
