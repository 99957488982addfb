package hsmtest

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// macVerdicts goes through all verdicts on a MAC.
func macVerdicts(t *testing.T, open Open) {
	x := start(t, open, Options{})
	for _, tm := range []*terminal{x.aes, x.tdes} {
		good := tm.message(t, payment{card: plain(testPAN)})
		kept := bytes.Clone(good)
		o := x.opened(tm, good)
		if o.Digest != sha256.Sum256(good) || !bytes.Equal(good, kept) {
			t.Error("the digest is not that of the message, or the message was changed")
		}
		for _, at := range []int{20, len(good) / 2, len(good) - 9, len(good) - 8, len(good) - 1} {
			bad := bytes.Clone(good)
			bad[at] ^= 1
			o, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: bad, KeySets: []api.KeySet{tm.set}})
			if err != nil {
				continue // the change made it unreadable
			}
			if o.MAC == api.MACValid || o.HasCard || o.HasPIN || o.HasCryptogram || o.Card.NewToken != "" {
				t.Errorf("byte %d changed: opened %+v", at, o)
			}
		}
		for name, p := range map[string]payment{
			"no KSN":       {private: func(p *iso8583.Private) { p.MACKSN = nil }},
			"counter zero": {private: func(p *iso8583.Private) { p.MACKSN = tm.initial.Bytes() }},
			"too many bits": {private: func(p *iso8583.Private) {
				k, err := tm.initial.WithCounter(0x1FFFFF)
				if err != nil {
					t.Fatal(err)
				}
				p.MACKSN = k.Bytes()
			}},
		} {
			want := api.MACUnknownKSN
			if name == "no KSN" {
				want = api.MACMissing
			}
			x.verdict(name, tm.message(t, p), []api.KeySet{tm.set}, want)
		}
		m := tm.build(t, payment{})
		unsealed, err := iso8583.Pack(m)
		if err != nil {
			t.Fatal(err)
		}
		x.verdict("no MAC", unsealed, []api.KeySet{tm.set}, api.MACMissing)
	}
}

// verdict opens a message that gets no handle.
func (x *bench) verdict(name string, message []byte, sets []api.KeySet, want api.MACVerdict) {
	x.Helper()
	o, err := x.hsm.Open(x.Context(), api.OpenRequest{Message: message, KeySets: sets})
	if err != nil || o.MAC != want || o.Handle != 0 {
		x.Errorf("%s: verdict %q, handle set %v, %v; want %q", name, o.MAC, o.Handle != 0, err, want)
	}
}

// foreignSets refuses KSNs outside the registered sets of the terminal, and
// sets that are not registered for the use.
func foreignSets(t *testing.T, open Open) {
	x := start(t, open, Options{})
	message := x.aes.message(t, payment{card: plain(testPAN), pin: "1234"})
	other := newTerminal(t, aesBDK, "1234567890123457", x.aes.set.BDK)
	x.verdict("no set", message, nil, api.MACUnknownKSN)
	x.verdict("another terminal's set", message, []api.KeySet{other.set, x.tdes.set}, api.MACUnknownKSN)
	for name, change := range map[string]func(*api.KeySet){
		"set not for MACs":   func(s *api.KeySet) { s.MAC = false },
		"set not for PINs":   func(s *api.KeySet) { s.PIN = false },
		"set not for data":   func(s *api.KeySet) { s.Data = false },
		"set of TDES":        func(s *api.KeySet) { s.Scheme = api.SchemeTDES },
		"set with a counter": func(s *api.KeySet) { s.ID = append(bytes.Clone(s.ID), 0, 0, 0, 0) },
	} {
		set := x.aes.set
		change(&set)
		x.verdict(name, message, []api.KeySet{set}, api.MACUnknownKSN)
	}
	stolen := payment{card: plain(testPAN), private: func(p *iso8583.Private) { p.DataKSN = other.keys(t, 1).KSN().Bytes() }}
	x.verdict("card data of another terminal", x.aes.message(t, stolen), []api.KeySet{x.aes.set}, api.MACUnknownKSN)

	wrongKey := x.aes.set
	wrongKey.BDK = x.importKey("B0", "A", "X", "00112233445566778899AABBCCDDEEFF")
	o, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{wrongKey}})
	if err != nil || o.MAC != api.MACInvalid || o.HasCard {
		t.Errorf("another base key: %+v, %v", o.MAC, err)
	}
	nine := make([]api.KeySet, 9)
	for i := range nine {
		nine[i] = x.aes.set
	}
	_, err = x.hsm.Open(t.Context(), api.OpenRequest{Message: message, KeySets: nine})
	x.want("nine key sets", err, api.ErrInput)
}

// replayedPIN refuses a PIN block of an earlier transaction in a new message,
// and takes one of a PIN pad with a set of its own, and older card data.
func replayedPIN(t *testing.T, open Open) {
	x := start(t, open, Options{})
	x.verdict("PIN of an earlier transaction", x.aes.message(t, payment{counter: 9, pinAt: 5, card: plain(testPAN), pin: "1234"}),
		[]api.KeySet{x.aes.set}, api.MACUnknownKSN)

	pad := newTerminal(t, aesBDK, "1234567890ABCDEF", x.aes.set.BDK)
	keys := pad.keys(t, 3)
	block, err := keys.EncryptPIN(keys.PINFormat(), []byte("1234"), []byte(testPAN), bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	message := x.aes.message(t, payment{counter: 9, card: plain(testPAN), private: func(p *iso8583.Private) {
		p.PINKSN, p.PINBlock = keys.KSN().Bytes(), secret.New(block)
	}})
	o, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{x.aes.set, pad.set}})
	if err != nil || o.MAC != api.MACValid || !bytes.Equal(o.PINSetID, pad.set.ID) || o.PINCounter != 3 || o.Counter != 9 {
		t.Fatalf("a PIN pad with its own set: %+v, %v", o, err)
	}
	p := x.personalize(api.Personalize{PAN: text(testPAN), PIN: text("1234"), PVK: x.pvk})
	if v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true}); v.PIN != api.PINRight {
		t.Errorf("its PIN is %s", v.PIN)
	}

	old := x.aes.build(t, payment{counter: 5, card: plain(testPAN)})
	private, err := old.Private()
	if err != nil {
		t.Fatal(err)
	}
	advice := x.aes.message(t, payment{counter: 12, private: func(p *iso8583.Private) {
		p.DataKSN, p.CardData = private.DataKSN, private.CardData
	}})
	if o := x.opened(x.aes, advice); !o.HasCard || o.DataCounter != 5 || o.Counter != 12 {
		t.Errorf("card data of an older counter: %+v", o)
	}
}

// refusalOnly: a message that is not authentic may be answered, but not
// approved, and gives nothing to verify.
func refusalOnly(t *testing.T, open Open) {
	x := start(t, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(testPAN), PIN: text("1234"), PVK: x.pvk})
	message := x.aes.message(t, payment{card: plain(testPAN), pin: "1234"})
	forged := bytes.Clone(message)
	forged[len(forged)-1] ^= 0x80
	o, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: forged, KeySets: []api.KeySet{x.aes.set}})
	if err != nil || o.MAC != api.MACInvalid || o.Handle == 0 || o.HasCard || o.HasPIN {
		t.Fatalf("opened %+v, %v", o, err)
	}
	_, err = x.hsm.Verify(t.Context(), x.withKeys(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true}))
	x.want("verifying a forged message", err, api.ErrPolicy)
	for _, rc := range []string{"00", "10"} {
		_, err = x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, forged, rc)})
		x.want("approving a forged message with "+rc, err, api.ErrPolicy)
	}
	s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, forged, "63")})
	if err != nil {
		t.Fatal(err)
	}
	x.aes.checkAnswer(t, 1, s.Answer)
}

// foreignAnswers are not sealed: the key of a message is for its own answer.
func foreignAnswers(t *testing.T, open Open) {
	x := start(t, open, Options{})
	message := x.aes.message(t, payment{card: plain(testPAN)})
	o := x.opened(x.aes, message)
	other := x.aes.message(t, payment{counter: 2, card: plain(testPAN)})
	change := func(f func(*iso8583.Message)) []byte {
		m, err := iso8583.Unpack(answer(t, message, "00"))
		if err != nil {
			t.Fatal(err)
		}
		f(m)
		b, err := iso8583.PackForMAC(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, packed := range map[string][]byte{
		"the request itself":          message,
		"an answer to another":        answer(t, other, "00"),
		"another STAN":                change(func(m *iso8583.Message) { m.SetDigits(11, "000043") }),
		"another terminal":            change(func(m *iso8583.Message) { m.SetText(41, "TERM0002") }),
		"not a message":               []byte("no message"),
		"empty":                       nil,
		"without the KSN of its MAC":  change(func(m *iso8583.Message) { m.SetPrivate(iso8583.Private{}) }),
		"with bytes after the answer": append(answer(t, message, "00"), 0),
	} {
		_, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: packed})
		x.want(name, err, api.ErrInput)
	}
	s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
	if err != nil {
		t.Fatalf("the handle is spent by refusals: %v", err)
	}
	x.aes.checkAnswer(t, 1, s.Answer)
}

// malformed input is refused without a handle.
func malformed(t *testing.T, open Open) {
	x := start(t, open, Options{})
	good := x.aes.message(t, payment{card: plain(testPAN)})
	for n := range good {
		o, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: good[:n], KeySets: []api.KeySet{x.aes.set}})
		if err == nil || o.Handle != 0 {
			t.Fatalf("the first %d of %d bytes were opened", n, len(good))
		}
		x.want("a cut message", err, api.ErrInput)
	}
	_, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: make([]byte, 8192), KeySets: []api.KeySet{x.aes.set}})
	x.want("a long message", err, api.ErrInput)
}
