package core_test

import (
	"bytes"
	"errors"
	"testing"

	"tallystick.example/dukpt/pinblock"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/testvectors/vectortest"
)

// letters are the algorithms of the topics' keys.
var letters = map[string]string{"tdes": "T", "aes": "A"}

// transaction is the DUKPT transaction of a case.
func transaction(t *testing.T, algorithm string, in vectorInput) core.Transaction {
	t.Helper()
	tx, err := core.NewTransaction(keyOf(t, "B0", algorithm, "X", in.Hex("bdk")), in.Hex("ksn"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tx.Wipe)
	return tx
}

type vectorInput interface{ Hex(key string) []byte }

// ours tells whether the case has the working keys that Transaction derives:
// AES-128 ones under an AES base key.
func ours(v vectortest.Vector) bool { return !v.Has("key_type") || v.Text("key_type") == "aes128" }

func TestVectorsInitialKeys(t *testing.T) {
	for scheme, algorithm := range letters {
		for _, v := range vectortest.Load(t, "dukpt_"+scheme, "dukpt."+scheme+".keys") {
			id, _, err := core.SplitKSN(v.Hex("ksn"))
			if err != nil {
				t.Fatal(err)
			}
			ik, err := core.InitialKey(keyOf(t, "B0", algorithm, "X", v.Hex("bdk")), id)
			v.Check(t, "ik", ik.Value().Expose(), err)
			if ik.Usage != "B1" || ik.Mode != "X" || ik.Algorithm != algorithm {
				t.Errorf("%s: an initial key with %+v", v.Name, ik.Attributes)
			}
		}
		for _, v := range vectortest.Load(t, "dukpt_"+scheme, "dukpt."+scheme+".check_ksn") {
			_, _, err := core.SplitKSN(v.Hex("ksn"))
			if want := v.Out.Bool("valid"); (err == nil) != want || !want && !errors.Is(err, core.ErrInput) {
				t.Errorf("%s: %v, valid is %v", v.Name, err, want)
			}
		}
	}
}

func TestVectorsTransactionMAC(t *testing.T) {
	requests, responses := 0, 0
	for scheme, algorithm := range letters {
		for _, v := range vectortest.Load(t, "dukpt_"+scheme, "dukpt."+scheme+".mac") {
			// X9.19 is ISO 9797-1 algorithm 3: what TDES terminals MAC with.
			if !ours(v) || scheme == "tdes" && v.Text("algorithm") != "x9.19" || scheme == "aes" && v.Text("algorithm") != "cmac" {
				continue
			}
			tx, want := transaction(t, algorithm, v), v.Out.Hex("mac")
			if v.Text("direction") == "response" {
				k, err := tx.AnswerMACKey()
				if err != nil {
					t.Fatal(err)
				}
				sum, err := k.Sum(v.Hex("data"))
				if n := min(len(want), core.MACLen); err != nil || !bytes.Equal(sum[:n], want[:n]) {
					t.Errorf("%s: answer MAC %X, %v, want %X", v.Name, sum, err, want)
				}
				k.Wipe()
				responses++
				continue
			}
			if len(want) < core.MACLen {
				if ok, err := tx.VerifyMAC(v.Hex("data"), want); ok || err != nil {
					t.Errorf("%s: a MAC of %d bytes is taken: %v, %v", v.Name, len(want), ok, err)
				}
				continue
			}
			ok, err := tx.VerifyMAC(v.Hex("data"), want[:core.MACLen])
			fits(t, v.Name, ok, err)
			requests++
		}
	}
	if requests < 40 || responses < 40 {
		t.Errorf("%d requests and %d answers were compared", requests, responses)
	}
}

func TestVectorsTransactionData(t *testing.T) {
	for scheme, algorithm := range letters {
		for _, v := range vectortest.Load(t, "dukpt_"+scheme, "dukpt."+scheme+".encrypt_data") {
			if !ours(v) {
				continue
			}
			plain, err := transaction(t, algorithm, v).DecryptData(v.Hex("iv"), v.Out.Hex("ciphertext"))
			// A terminal enciphers under the request key alone: data under the other
			// key come out as something else.
			same := plain.Equal(secret.New(v.Hex("data")))
			if err != nil || same != (v.Text("direction") == "request") {
				t.Errorf("%s: comes back %v, %v", v.Name, same, err)
			}
		}
	}
	for _, v := range vectortest.Load(t, "dukpt_tdes", "dukpt.tdes.decrypt_data") {
		plain, err := transaction(t, "T", v).DecryptData(v.Hex("iv"), v.Hex("ciphertext"))
		v.Check(t, "data", plain.Expose(), err)
	}
}

func TestVectorsTransactionPIN(t *testing.T) {
	for scheme, algorithm := range letters {
		for _, v := range vectortest.Load(t, "dukpt_"+scheme, "dukpt."+scheme+".encrypt_pin") {
			if !ours(v) {
				continue
			}
			k, err := transaction(t, algorithm, v).PINKey()
			if err != nil {
				t.Fatal(err)
			}
			pin, ok := k.Decode(v.Out.Hex("block"), text(v.Digits("pan")))
			if !ok || string(pin.Expose()) != v.Digits("pin") {
				t.Errorf("%s: the PIN does not come out", v.Name)
			}
			pin.Wipe()
			k.Wipe()
		}
	}
}

func TestVectorsTranslation(t *testing.T) {
	for _, v := range vectortest.Load(t, "pinblock", "pinblock.translate") {
		from, to := v.Object("from"), v.Object("to")
		algorithm := letters[from.Text("scheme")[len("dukpt_"):]]
		k, err := transaction(t, algorithm, from).PINKey()
		if err != nil {
			t.Fatal(err)
		}
		zone := keyOf(t, "P0", "T", "E", to.Hex("key"))
		got, err := k.Translate(pinblock.Format(from.Int("format")), v.Hex("block"), zone,
			pinblock.Format(to.Int("format")), text(v.Digits("pan")), bytes.NewReader(nil))
		v.Check(t, "block", got, err)
	}
}

// Clear blocks are enciphered under a zone key first. Formats 1 to 3 take part
// as far as they travel enciphered; format 2 goes to a card in clear only.
func TestVectorsDecodePIN(t *testing.T) {
	const zone = double
	for _, v := range vectortest.Load(t, "pinblock", "pinblock.decode") {
		format := pinblock.Format(v.Int("format"))
		if format == pinblock.ISO2 || format == pinblock.ISO4 {
			continue
		}
		// One block of CBC under a zero vector is the block cipher itself.
		block, err := core.EncryptCBC(key(t, "D0TE", zone), make([]byte, 8), secret.New(v.Hex("block")))
		if err != nil {
			t.Fatal(err)
		}
		var card secret.Secret
		if v.Has("pan") {
			card = text(v.Digits("pan"))
		}
		pin, ok, err := core.DecodePIN(key(t, "P0TD", zone), format, block, card)
		if err != nil || ok == v.Reject || ok && string(pin.Expose()) != v.Out.Digits("pin") {
			t.Errorf("%s: a PIN %v, %v; the case refuses: %v", v.Name, ok, err, v.Reject)
		}
	}
	for _, v := range vectortest.Load(t, "pinblock", "pinblock.decipher4") {
		pin, ok, err := core.DecodePIN(keyOf(t, "P0", "A", "D", v.Hex("key")), pinblock.ISO4, v.Hex("block"), text(v.Digits("pan")))
		if err != nil || ok == v.Reject || ok && string(pin.Expose()) != v.Out.Digits("pin") {
			t.Errorf("%s: a PIN %v, %v; the case refuses: %v", v.Name, ok, err, v.Reject)
		}
	}
}
