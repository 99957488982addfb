package dukpt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"testing"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
)

// TestConversation lets a terminal and a host talk under the keys of some
// transactions: PIN, data and codes both ways.
func TestConversation(t *testing.T) {
	pin, pan := []byte("123456"), []byte("4111111111111111")
	for _, su := range setups(t) {
		state := su.state(t)
		for range 5 {
			next, terminal, err := state.Advance()
			if err != nil {
				t.Fatal(err)
			}
			state = next
			host, err := su.base.Keys(terminal.KSN(), 0)
			if err != nil {
				t.Fatal(err)
			}
			block, err := terminal.EncryptPIN(terminal.PINFormat(), pin, pan, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := host.DecryptPIN(host.PINFormat(), block, pan); err != nil || !bytes.Equal(got, pin) {
				t.Errorf("%s: PIN %v", su.scheme, err)
			}
			zone := pinblock.Side{Format: pinblock.ISO0, Key: bytes.Repeat([]byte{7, 9}, 8)}
			moved, err := host.TranslatePIN(host.PINFormat(), zone, block, pan, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := pinblock.Decipher(zone.Format, zone.Key, moved, pan); err != nil || !bytes.Equal(got, pin) {
				t.Errorf("%s: translated PIN %v", su.scheme, err)
			}
			codes := exchange(t, su, terminal, host)
			if bytes.Equal(codes[0], codes[1]) {
				t.Errorf("%s: both directions have the same key", su.scheme)
			}
		}
	}
}

// exchange sends data both ways and gives the codes of the two directions.
func exchange(t *testing.T, su setup, terminal, host *dukpt.WorkingKeys) (codes [2][]byte) {
	t.Helper()
	iv, data := bytes.Repeat([]byte{3}, host.BlockSize()), bytes.Repeat([]byte("card data"), 16)
	for i, d := range []dukpt.Direction{dukpt.Request, dukpt.Response} {
		from, to := terminal, host
		if d == dukpt.Response {
			from, to = host, terminal
		}
		sent, err := from.EncryptData(d, iv, data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := to.DecryptData(d, iv, sent); err != nil || !bytes.Equal(got, data) || bytes.Equal(sent, data) {
			t.Errorf("%s: data %v", su.scheme, err)
		}
		if codes[i], err = from.MAC(d, sent); err != nil || len(codes[i]) != dukpt.MACLength {
			t.Fatalf("%d bytes, %v", len(codes[i]), err)
		}
		if ok, err := to.VerifyMAC(d, sent, codes[i]); err != nil || !ok {
			t.Errorf("%s: code refused, %v", su.scheme, err)
		}
		for n := range dukpt.MACLength {
			changed := bytes.Clone(codes[i])
			changed[n] ^= 1
			if ok, err := to.VerifyMAC(d, sent, changed); err != nil || ok {
				t.Errorf("%s: a changed code was accepted, %v", su.scheme, err)
			}
			if ok, err := to.VerifyMAC(d, sent, codes[i][:n]); err != nil || ok {
				t.Errorf("%s: a code of %d bytes was accepted, %v", su.scheme, n, err)
			}
		}
		if ok, err := to.VerifyMAC(3-d, sent, codes[i]); err != nil || ok {
			t.Errorf("%s: a code of the other direction was accepted, %v", su.scheme, err)
		}
		// The message is the same for both directions, so that the codes compare keys.
		if codes[i], err = from.MAC(d, data); err != nil {
			t.Fatal(err)
		}
	}
	return codes
}

func TestWorkingKeysRefusals(t *testing.T) {
	for _, su := range setups(t) {
		_, k, err := su.state(t).Advance()
		if err != nil {
			t.Fatal(err)
		}
		size := k.BlockSize()
		other := map[dukpt.Scheme]pinblock.Format{dukpt.TDES: pinblock.ISO4, dukpt.AES: pinblock.ISO0}[su.scheme]
		pin, pan := []byte("1234"), []byte("4111111111111111")
		for name, c := range map[string]struct {
			run func() error
			err error
		}{
			"format of the other scheme": {func() error { _, err := k.EncryptPIN(other, pin, pan, rand.Reader); return err }, pinblock.ErrFormat},
			"format 2":                   {func() error { _, err := k.DecryptPIN(pinblock.ISO2, make([]byte, 8), pan); return err }, pinblock.ErrFormat},
			"direction":                  {func() error { _, err := k.MAC(0, nil); return err }, dukpt.ErrDirection},
			"direction of a check":       {func() error { _, err := k.VerifyMAC(3, nil, nil); return err }, dukpt.ErrDirection},
			"direction of data":          {func() error { _, err := k.EncryptData(3, make([]byte, size), make([]byte, size)); return err }, dukpt.ErrDirection},
			"no data":                    {func() error { _, err := k.EncryptData(1, make([]byte, size), nil); return err }, dukpt.ErrData},
			"part of a block":            {func() error { _, err := k.DecryptData(1, make([]byte, size), make([]byte, size+1)); return err }, dukpt.ErrData},
			"short vector":               {func() error { _, err := k.EncryptData(1, make([]byte, size-1), make([]byte, size)); return err }, dukpt.ErrData},
			"long vector":                {func() error { _, err := k.DecryptData(1, make([]byte, size+1), make([]byte, size)); return err }, dukpt.ErrData},
		} {
			if err := c.run(); !errors.Is(err, c.err) {
				t.Errorf("%s, %s: %v, want %v", su.scheme, name, err, c.err)
			}
		}
		k.Wipe()
		if _, err := k.MAC(dukpt.Request, nil); !errors.Is(err, dukpt.ErrWiped) {
			t.Errorf("%s: after Wipe: %v", su.scheme, err)
		}
		if _, err := k.EncryptPIN(k.PINFormat(), pin, pan, rand.Reader); !errors.Is(err, dukpt.ErrWiped) {
			t.Errorf("%s: after Wipe: %v", su.scheme, err)
		}
	}
}

func TestKeyTypesAndUsages(t *testing.T) {
	for _, su := range setups(t) {
		ksn, err := su.ksn.Next()
		if err != nil {
			t.Fatal(err)
		}
		for typ := dukpt.KeyType(0); typ <= dukpt.HMAC256+1; typ++ {
			_, err := su.base.Keys(ksn, typ)
			ok := typ == 0 || su.scheme == dukpt.TDES && typ == dukpt.TDES2 ||
				su.scheme == dukpt.AES && typ >= dukpt.AES128 && typ <= dukpt.AES256 && typ.Len() <= len(su.ik)
			if ok != (err == nil) || !ok && !errors.Is(err, dukpt.ErrKeyType) {
				t.Errorf("%s%d: working keys of type %s: %v", su.scheme, len(su.ik), typ, err)
			}
			for _, u := range []dukpt.Usage{dukpt.PINEncryption, dukpt.MACBoth, dukpt.KeyEncryption, 0, 0x8000, 0x8001} {
				key, err := su.base.WorkingKey(ksn, typ, u)
				if err == nil && len(key) != typ.Len() {
					t.Errorf("%s %s: %d bytes", typ, u, len(key))
				}
				if (u == 0 || u >= 0x8000) && err == nil {
					t.Errorf("%s%d: usage %s was derived", su.scheme, len(su.ik), u)
				}
				if typ >= dukpt.HMAC128 && u != dukpt.MACBoth && err == nil {
					t.Errorf("an HMAC key for %s", u)
				}
			}
		}
		if _, err := su.base.TransactionKey(su.ksn); !errors.Is(err, dukpt.ErrCounter) {
			t.Errorf("%s: key of counter 0: %v", su.scheme, err)
		}
		wide, err := su.ksn.WithCounter(0x1FFFF)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := su.base.Keys(wide, 0); !errors.Is(err, dukpt.ErrCounter) {
			t.Errorf("%s: key of a counter with 17 ones: %v", su.scheme, err)
		}
	}
	if _, err := dukpt.ParseKeyType("aes512"); !errors.Is(err, dukpt.ErrKeyType) {
		t.Errorf("%v", err)
	}
	if _, err := dukpt.ParseUsage("usage(8000)"); !errors.Is(err, dukpt.ErrUsage) {
		t.Errorf("%v", err)
	}
}

// TestKeyLengths tries every length of every key that a function takes.
func TestKeyLengths(t *testing.T) {
	tdes, aes := parse(t, dukpt.TDES, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), parse(t, dukpt.AES, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	for n := range 40 {
		key := make([]byte, n)
		for _, ksn := range []dukpt.KSN{tdes, aes} {
			ok := n == 16 || ksn.Scheme() == dukpt.AES && (n == 24 || n == 32)
			_, err1 := dukpt.NewBase(ksn.Scheme(), key)
			_, err2 := dukpt.TransactionKey(key, ksn)
			_, err3 := dukpt.WorkingKey(key, ksn, dukpt.TDES2, dukpt.PINEncryption)
			_, err4 := dukpt.KeysFromInitial(key, ksn, 0)
			for i, err := range []error{err1, err2, err3, err4} {
				if ok != (err == nil) || !ok && !errors.Is(err, dukpt.ErrKeyLength) {
					t.Errorf("%s, function %d with %d bytes: %v", ksn.Scheme(), i+1, n, err)
				}
			}
		}
	}
}

// TestMACAlgorithms tries every algorithm with every type of key.
func TestMACAlgorithms(t *testing.T) {
	lengths := map[[2]string]int{
		{"1", "tdes2"}: 8, {"2", "tdes2"}: 8, {"2", "tdes3"}: 8, {"2", "aes128"}: 16, {"2", "aes192"}: 16, {"2", "aes256"}: 16,
		{"3", "hmac128"}: 32, {"3", "hmac192"}: 32, {"3", "hmac256"}: 32,
	}
	for a := dukpt.MACAlgorithm(0); a < 5; a++ {
		for typ := dukpt.TDES2; typ <= dukpt.HMAC256; typ++ {
			got, err := dukpt.MAC(a, typ, make([]byte, typ.Len()), []byte("x"))
			want, ok := lengths[[2]string{strconv.Itoa(int(a)), typ.String()}]
			if len(got) != want || ok != (err == nil) || !ok && !errors.Is(err, dukpt.ErrAlgorithm) {
				t.Errorf("algorithm %d with %s: %d bytes, %v", a, typ, len(got), err)
			}
			if _, err := dukpt.MAC(a, typ, make([]byte, typ.Len()+1), nil); !errors.Is(err, dukpt.ErrKeyLength) {
				t.Errorf("a key that is too long: %v", err)
			}
		}
	}
}

// TestSharedMemory uses one base key, one initial key, one KSN and one state from
// several goroutines, with slices that have room to grow into: all results must
// be right and no input may change.
func TestSharedMemory(t *testing.T) {
	for _, su := range setups(t) {
		raw := append(su.ksn.Bytes(), 0xEE, 0xEE, 0xEE, 0xEE)
		ksnBytes := raw[:len(raw)-4]
		ik := append(bytes.Clone(su.ik), 0xEE, 0xEE)[:len(su.ik)]
		state := su.state(t)
		data := append(make([]byte, 64), 0xEE)[:64]
		want := map[uint32][]byte{}
		for c := uint32(1); c <= 64; c++ {
			ksn, err := su.ksn.WithCounter(c)
			if err != nil {
				t.Fatal(err)
			}
			if want[c], err = su.base.TransactionKey(ksn); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for c := uint32(1); c <= 64; c++ {
					ksn, err := dukpt.ParseKSN(su.scheme, ksnBytes)
					if err != nil {
						t.Error(err)
						return
					}
					if ksn, err = ksn.WithCounter(c); err != nil {
						t.Error(err)
						return
					}
					if key, err := dukpt.TransactionKey(ik, ksn); err != nil || !bytes.Equal(key, want[c]) {
						t.Errorf("%s: host key of %s: %v", su.scheme, ksn, err)
					}
					if _, key, err := state.KeyAt(c); err != nil || !bytes.Equal(key, want[c]) {
						t.Errorf("%s: terminal key of %s: %v", su.scheme, ksn, err)
					}
					keys, err := su.base.Keys(ksn, 0)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := keys.EncryptData(dukpt.Request, data[:keys.BlockSize()], data); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if !bytes.Equal(raw, append(su.ksn.Bytes(), 0xEE, 0xEE, 0xEE, 0xEE)) || !bytes.Equal(ik, su.ik) || !bytes.Equal(data[:65], append(make([]byte, 64), 0xEE)) {
			t.Error("memory of the caller was changed")
		}
	}
}
