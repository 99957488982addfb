package oda_test

import (
	"fmt"
	"testing"

	"tallystick.example/emv/oda"
	"tallystick.example/testvectors/vectortest"
)

func TestChecksumVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_capk", "emv.capk.checksum", "emv.capk.check") {
		k := oda.CAKey{RID: [5]byte(v.Hex("rid")), Index: v.Hex("index")[0], Modulus: v.Hex("modulus"), Exponent: v.Hex("exponent")}
		sum := k.Sum()
		if v.Op == "emv.capk.checksum" {
			v.Check(t, "checksum", sum[:], nil)
			continue
		}
		v.Check(t, "valid", fmt.Sprintf("%X", sum) == v.Text("checksum"), nil)
	}
}

func TestIssuerCertificateVector(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_oda", "emv.oda.issuer_certificate") {
		ca, ok := oda.NewPublicKey(v.Object("capk").Hex("modulus"), v.Object("capk").Hex("exponent"))
		if !ok {
			t.Fatal("no key")
		}
		k, err := oda.RecoverIssuer(ca, v.Hex("certificate"), v.Hex("remainder"), v.Hex("exponent"))
		if err != nil {
			t.Fatal(err)
		}
		id, expiry := k.ID(), k.Expiry()
		v.Check(t, "issuer_modulus", k.Modulus(), nil)
		v.Check(t, "issuer_id", id[:], nil)
		v.Check(t, "issuer_expiry", fmt.Sprintf("%X", expiry[:]), nil)
	}
}

func TestDynamicSignatureVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_oda", "emv.oda.dynamic_signature") {
		k, ok := oda.NewPublicKey(v.Hex("icc_modulus"), v.Hex("icc_exponent"))
		if !ok {
			t.Fatal("no key")
		}
		dynamic, err := k.RecoverDynamic(v.Hex("signature"), v.Hex("terminal_data"))
		v.Check(t, "icc_dynamic_data", dynamic, err)
	}
}
