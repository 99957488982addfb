package dukpt_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
	"tallystick.example/testvectors/vectortest"
)

// parse reads a KSN that the test knows to be right.
func parse(t testing.TB, s dukpt.Scheme, b []byte) dukpt.KSN {
	t.Helper()
	k, err := dukpt.ParseKSN(s, b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTDESKeyVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "dukpt_tdes", "dukpt.tdes.keys") {
		ksn := parse(t, dukpt.TDES, v.Hex("ksn"))
		ik, err := dukpt.InitialKey(v.Hex("bdk"), ksn)
		v.Check(t, "ik", ik, err)
		key, err := dukpt.TransactionKey(ik, ksn)
		v.Check(t, "key", key, err)
		for name, u := range map[string]dukpt.Usage{
			"pin_key": dukpt.PINEncryption, "mac_request_key": dukpt.MACGeneration, "mac_response_key": dukpt.MACVerification,
			"data_request_key": dukpt.DataEncryption, "data_response_key": dukpt.DataDecryption,
		} {
			w, err := dukpt.WorkingKey(key, ksn, dukpt.TDES2, u)
			v.Check(t, name, w, err)
		}
	}
}

func TestAESKeyVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "dukpt_aes", "dukpt.aes.keys") {
		ksn := parse(t, dukpt.AES, v.Hex("ksn"))
		ik, err := dukpt.InitialKey(v.Hex("bdk"), ksn)
		v.Check(t, "ik", ik, err)
		key, err := dukpt.TransactionKey(ik, ksn)
		v.Check(t, "key", key, err)
	}
	for _, v := range vectortest.Load(t, "dukpt_aes", "dukpt.aes.working_key") {
		base, err := dukpt.NewBase(dukpt.AES, v.Hex("bdk"))
		if err != nil {
			t.Fatal(err)
		}
		typ, err := dukpt.ParseKeyType(v.Text("key_type"))
		if err != nil {
			t.Fatal(err)
		}
		usage, err := dukpt.ParseUsage(v.Text("usage"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := base.WorkingKey(parse(t, dukpt.AES, v.Hex("ksn")), typ, usage)
		v.Check(t, "key", key, err)
	}
}

// TestUpdateKeyVectors derives the update key from the initial key, and from
// the registers of a terminal at several counters.
func TestUpdateKeyVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "dukpt_aes", "dukpt.aes.update_key") {
		typ, err := dukpt.ParseKeyType(v.Text("key_type"))
		if err != nil {
			t.Fatal(err)
		}
		ksn := parse(t, dukpt.AES, append(v.Hex("initial_key_id"), 0, 0, 0, 0))
		key, err := dukpt.UpdateKey(v.Hex("ik"), ksn, typ)
		v.Check(t, "key", key, err)
		state, err := dukpt.NewState(v.Hex("ik"), ksn)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []uint32{0, 1, 0x00018000, 0x80000000, 0xFFFE8000} {
			if state, err = state.SkipTo(c); err != nil {
				t.Fatal(err)
			}
			key, err := state.UpdateKey(typ)
			v.Check(t, "key", key, err)
		}
		last, err := state.SkipTo(0xFFFF0000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := last.UpdateKey(typ); !errors.Is(err, dukpt.ErrExhausted) {
			t.Errorf("after the last transaction: %v", err)
		}
	}
}

// TestWorkingKeysVectors runs the PIN, MAC and data vectors through the values
// that agent and HSM use.
func TestWorkingKeysVectors(t *testing.T) {
	directions := map[string]dukpt.Direction{"request": dukpt.Request, "response": dukpt.Response}
	ran := map[string]int{}
	for topic, scheme := range map[string]dukpt.Scheme{"dukpt_tdes": dukpt.TDES, "dukpt_aes": dukpt.AES} {
		for _, v := range vectortest.Load(t, topic) {
			var typ dukpt.KeyType
			if v.Has("key_type") {
				var err error
				if typ, err = dukpt.ParseKeyType(v.Text("key_type")); err != nil {
					t.Fatal(err)
				}
			}
			keys := func() *dukpt.WorkingKeys {
				base, err := dukpt.NewBase(scheme, v.Hex("bdk"))
				if err != nil {
					t.Fatal(err)
				}
				k, err := base.Keys(parse(t, scheme, v.Hex("ksn")), typ)
				if err != nil {
					t.Fatalf("%s: %v", v.Name, err)
				}
				return k
			}
			switch v.Op {
			case "dukpt.tdes.encrypt_pin":
				got, err := keys().EncryptPIN(pinblock.ISO0, []byte(v.Digits("pin")), []byte(v.Digits("pan")), nil)
				v.Check(t, "block", got, err)
			case "dukpt.aes.encrypt_pin":
				got, err := keys().EncryptPIN(pinblock.ISO4, []byte(v.Digits("pin")), []byte(v.Digits("pan")), bytes.NewReader(v.Hex("random")))
				v.Check(t, "block", got, err)
			case "dukpt.tdes.mac":
				if v.Text("algorithm") != "x9.19" {
					continue
				}
				got, err := keys().MAC(directions[v.Text("direction")], v.Hex("data"))
				v.Check(t, "mac", got[:v.Int("length")], err)
			case "dukpt.aes.mac":
				if v.Text("algorithm") != "cmac" {
					continue
				}
				got, err := keys().MAC(directions[v.Text("direction")], v.Hex("data"))
				if want := v.Out.Hex("mac")[:8]; err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %X, %v, want %X", v.Name, got, err, want)
				}
			case "dukpt.tdes.encrypt_data", "dukpt.aes.encrypt_data":
				got, err := keys().EncryptData(directions[v.Text("direction")], v.Hex("iv"), v.Hex("data"))
				v.Check(t, "ciphertext", got, err)
			case "dukpt.tdes.decrypt_data":
				got, err := keys().DecryptData(directions[v.Text("direction")], v.Hex("iv"), v.Hex("ciphertext"))
				v.Check(t, "data", got, err)
			default:
				continue
			}
			ran[v.Op]++
		}
	}
	if len(ran) != 7 {
		t.Errorf("ran only %v", ran)
	}
}

func TestRegisterVectors(t *testing.T) {
	for topic, scheme := range map[string]dukpt.Scheme{"dukpt_tdes": dukpt.TDES, "dukpt_aes": dukpt.AES} {
		for _, v := range vectortest.Load(t, topic, "dukpt."+scheme.String()+".registers") {
			state := load(t, scheme, v)
			ksn := parse(t, scheme, v.Hex("ksn"))
			// Once in one jump, once through every transaction before.
			jumped, key, err := state.KeyAt(ksn.Counter())
			v.Check(t, "key", key, err)
			v.Check(t, "registers", jumped.Registers(), err)
			if ksn.Counter() > 1<<12 {
				continue
			}
			for state.KSN().Counter() < ksn.Counter() {
				next, err := state.KSN().Next()
				if err != nil {
					t.Fatal(err)
				}
				if state, key, err = state.KeyAt(next.Counter()); err != nil {
					t.Fatal(err)
				}
			}
			v.Check(t, "key", key, nil)
			v.Check(t, "registers", state.Registers(), nil)
		}
		for _, v := range vectortest.Load(t, topic, "dukpt."+scheme.String()+".sequence") {
			state, hash := load(t, scheme, v), sha256.New()
			for range v.Int("count") {
				next, err := state.KSN().Next()
				if err != nil {
					t.Fatal(err)
				}
				var key []byte
				if state, key, err = state.KeyAt(next.Counter()); err != nil {
					t.Fatal(err)
				}
				hash.Write(state.KSN().Bytes())
				hash.Write(key)
			}
			v.Check(t, "sha256", hash.Sum(nil), nil)
		}
	}
}

// load gives the terminal of a case its initial key.
func load(t *testing.T, s dukpt.Scheme, v vectortest.Vector) *dukpt.State {
	t.Helper()
	var id []byte
	if s == dukpt.TDES {
		id = v.Hex("iksn")
	} else {
		id = append(v.Hex("initial_key_id"), 0, 0, 0, 0)
	}
	state, err := dukpt.NewState(v.Hex("ik"), parse(t, s, id))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestKSNVectors(t *testing.T) {
	for topic, scheme := range map[string]dukpt.Scheme{"dukpt_tdes": dukpt.TDES, "dukpt_aes": dukpt.AES} {
		for _, v := range vectortest.Load(t, topic, "dukpt."+scheme.String()+".next_ksn") {
			next, err := parse(t, scheme, v.Hex("ksn")).Next()
			if v.Out.Has("exhausted") {
				v.Check(t, "exhausted", errors.Is(err, dukpt.ErrExhausted), nil)
				continue
			}
			v.Check(t, "ksn", next.Bytes(), err)
		}
		for _, v := range vectortest.Load(t, topic, "dukpt."+scheme.String()+".check_ksn") {
			v.Check(t, "valid", parse(t, scheme, v.Hex("ksn")).Check() == nil, nil)
		}
	}
}
