package cryptogram

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/internal/pure/secret"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testCard() Card { return Card{PAN: secret.New([]byte("1234567890123456")), PSN: "00"} }

// published is the example of Visa's CVN 18 shape made with the issuer master
// key that the field's public tests use.
func published(t testing.TB) (secret.Secret, Fields) {
	return secret.New(unhex(t, "4C31B34F01A4E5DC5D2F239157A4B6BC")), Fields{
		0x9F02: unhex(t, "795407990559"), 0x9F03: unhex(t, "000000464883"), 0x9F1A: unhex(t, "0840"),
		0x95: unhex(t, "1A3AF2308F"), 0x5F2A: unhex(t, "0840"), 0x9A: unhex(t, "261122"), 0x9C: unhex(t, "00"),
		0x9F37: unhex(t, "10EAD9DE"), 0x82: unhex(t, "5800"), 0x9F36: unhex(t, "A3B4"),
		0x9F10: unhex(t, "060112EE4EB923"), 0x9F26: unhex(t, "C1948AA6B86BFD88"),
	}
}

var publishedCard = Card{PAN: secret.New([]byte("9999283703592814")), PSN: "05"}

func TestVerifyAcceptsAndRefuses(t *testing.T) {
	imk, fields := published(t)
	if err := Verify(imk, publishedCard, VisaCVN18, fields); err != nil {
		t.Fatalf("a right cryptogram: %v", err)
	}
	for tag := range fields {
		altered := Fields{}
		for k, v := range fields {
			altered[k] = bytes.Clone(v)
		}
		altered[tag][len(altered[tag])-1] ^= 1
		if err := Verify(imk, publishedCard, VisaCVN18, altered); !errors.Is(err, ErrMismatch) {
			t.Errorf("tag %X altered: %v, want ErrMismatch", tag, err)
		}
		delete(altered, tag)
		if err := Verify(imk, publishedCard, VisaCVN18, altered); !errors.Is(err, ErrInput) {
			t.Errorf("tag %X missing: %v, want ErrInput", tag, err)
		}
	}
	other := Card{PAN: publishedCard.PAN, PSN: "06"}
	if err := Verify(imk, other, VisaCVN18, fields); !errors.Is(err, ErrMismatch) {
		t.Errorf("another PSN: %v, want ErrMismatch", err)
	}
	if err := Verify(imk, publishedCard, VisaCVN22, fields); err != nil {
		t.Errorf("CVN 22 takes the same bytes: %v", err)
	}
	if err := Verify(imk, publishedCard, "visa_cvn99", fields); !errors.Is(err, ErrProfile) {
		t.Errorf("unknown profile: %v, want ErrProfile", err)
	}
}

func TestFieldsFromDE55(t *testing.T) {
	got, err := FieldsFromDE55(unhex(t, "9F3602001C8202180000"))
	if err != nil || !bytes.Equal(got[0x9F36], []byte{0, 0x1C}) || !bytes.Equal(got[0x82], []byte{0x18, 0}) {
		t.Fatalf("got %x, %v", got, err)
	}
	for name, in := range map[string]string{
		"twice": "9F3602001C9F3602001D", "cut": "9F360200", "indefinite": "9C80",
		"too long for its bytes": "9C88FFFFFFFFFFFFFFFF",
	} {
		if _, err := FieldsFromDE55(unhex(t, in)); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	if _, err := FieldsFromDE55(make([]byte, 1000)); !errors.Is(err, ErrInput) {
		t.Errorf("1000 bytes: %v, want ErrInput", err)
	}
}

func TestIssuerAuthMethods(t *testing.T) {
	key := secret.New(unhex(t, "0123456789ABCDEFFEDCBA9876543210"))
	ac := AC(unhex(t, "29CCA15AE665FA2E"))
	for name, a := range map[string]IssuerAuth{
		"method 1":             {Method: 1, ARC: []byte("00")},
		"method 2":             {Method: 2, CSU: []byte{0, 0x12, 0, 0}},
		"method 2 proprietary": {Method: 2, CSU: []byte{0, 0x12, 0, 0}, Proprietary: []byte{1, 2, 3}},
	} {
		data, err := a.Data(key, ac)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := VerifyIssuerAuth(key, ac, a.Method, data)
		if err != nil || !bytes.Equal(got.ARC, a.ARC) || !bytes.Equal(got.CSU, a.CSU) || !bytes.Equal(got.Proprietary, a.Proprietary) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 0x80
			if _, err := VerifyIssuerAuth(key, ac, a.Method, bad); !errors.Is(err, ErrMismatch) {
				t.Errorf("%s, byte %d altered: %v, want ErrMismatch", name, i, err)
			}
		}
	}
	if _, err := VerifyIssuerAuth(key, ac, 1, make([]byte, 9)); !errors.Is(err, ErrInput) {
		t.Errorf("9 bytes for method 1: %v, want ErrInput", err)
	}
	if _, err := VerifyIssuerAuth(key, ac, 2, make([]byte, 17)); !errors.Is(err, ErrInput) {
		t.Errorf("17 bytes for method 2: %v, want ErrInput", err)
	}
}

func TestRefusesKeysAndCards(t *testing.T) {
	if _, err := CardKey(secret.New(make([]byte, 8)), testCard()); !errors.Is(err, ErrKey) {
		t.Errorf("8-byte key: %v, want ErrKey", err)
	}
	imk := secret.New(make([]byte, 16))
	for name, c := range map[string]Card{
		"letters":     {PAN: secret.New([]byte("12345678901234AB"))},
		"short":       {PAN: secret.New([]byte("1234567"))},
		"20 digits":   {PAN: secret.New([]byte("12345678901234567890"))},
		"PSN":         {PAN: testCard().PAN, PSN: "1"},
		"PSN letters": {PAN: testCard().PAN, PSN: "0A"},
		"option":      {PAN: testCard().PAN, Option: 'C'},
	} {
		if _, err := CardKey(imk, c); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	tree := Session{Method: SessionEMV2000, ATC: []byte{1, 0}, IV: make([]byte, 16), Height: 4, Branch: 2}
	if _, err := tree.Key(imk); !errors.Is(err, ErrInput) {
		t.Errorf("a tree too small for the ATC: %v, want ErrInput", err)
	}
}

// TestKeysHaveOddParity: every derived key must load into a module that checks
// parity.
func TestKeysHaveOddParity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		imk := secret.New(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "imk"))
		atc := rapid.SliceOfN(rapid.Byte(), 2, 2).Draw(t, "atc")
		udk, err := CardKey(imk, testCard())
		if err != nil {
			t.Fatal(err)
		}
		keys := []secret.Secret{udk}
		for _, s := range []Session{
			{Method: SessionCommon, ATC: atc},
			{Method: SessionMastercard, ATC: atc, UN: []byte{1, 2, 3, 4}},
			{Method: SessionVisaSM, ATC: atc},
			{Method: SessionEMV2000, ATC: atc, IV: make([]byte, 16), Height: 8, Branch: 4},
		} {
			k, err := s.Key(udk)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k)
		}
		for i, k := range keys {
			again := bytes.Clone(k.Expose())
			setOddParity(again)
			if !bytes.Equal(again, k.Expose()) {
				t.Fatalf("key %d has even bytes", i)
			}
		}
	})
}
