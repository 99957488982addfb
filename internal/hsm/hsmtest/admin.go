package hsmtest

import (
	"crypto/ed25519"
	"crypto/subtle"
	"strings"
	"testing"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/keyblock"
	"tallystick.example/internal/hsm/api"
)

// wrongUses refuses keys of other usages, algorithms and modes everywhere.
func wrongUses(t *testing.T, open Open) {
	x := start(t, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(chipPAN), PSN: "01", PIN: text("1234"), PVK: x.pvk, Profile: "visa_cvn10"})
	message := x.aes.message(t, payment{card: stripe(t, chipPAN, chipPAN+"=2912201112345678"), pin: "1234", chip: unhex(t, chipData)})
	verify := func(what string, r api.VerifyRequest) {
		t.Helper()
		r.Handle, r.Reference = x.opened(x.aes, message).Handle, p.Reference
		_, err := x.hsm.Verify(t.Context(), x.withKeys(r))
		x.want(what, err, api.ErrKey)
	}
	verify("a PIN key for cryptograms", api.VerifyRequest{Cryptogram: true, IMK: x.pvk})
	verify("an issuer key for PINs", api.VerifyRequest{PIN: true, PVK: x.imk})
	verify("an issuer key for card codes", api.VerifyRequest{CardCode: true, CVK: x.imk})
	verify("a PIN key that may only generate", api.VerifyRequest{PIN: true, PVK: x.importKey("V2", "T", "G", testPVK)})
	set := x.aes.set
	for name, block := range map[string]api.KeyBlock{
		"a data key for DUKPT":     x.importKey("D0", "A", "B", aesBDK),
		"a TDES base key for AES":  x.tdes.set.BDK,
		"an initial key as base":   x.importKey("B1", "A", "X", aesBDK),
		"an issuer key as base":    x.imk,
		"no key":                   "",
		"something else than keys": "D0112B0AX00N0000",
	} {
		set.BDK = block
		_, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{set}})
		x.want(name, err, api.ErrKey)
	}
	for _, spec := range []api.KeySpec{
		{Usage: "ZZ", Algorithm: "A", Mode: "X", Bytes: 16}, {Usage: "B0", Algorithm: "Q", Mode: "X", Bytes: 16},
		{Usage: "B0", Algorithm: "A", Mode: "V", Bytes: 16}, {Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 15},
		{Usage: "E0", Algorithm: "T", Mode: "X", Bytes: 24}, {},
	} {
		_, err := x.hsm.GenerateKey(t.Context(), spec)
		x.want("generating "+spec.Usage+spec.Algorithm+spec.Mode, err, api.ErrInput)
	}
	_, err := x.hsm.Personalize(t.Context(), api.Personalize{PAN: text(testPAN), PSN: "00", Expiry: "2912", PIN: text("1234"), PVK: x.cvk})
	x.want("personalizing under a card code key", err, api.ErrKey)
}

// changedBlocks refuses a key block with any character changed.
func changedBlocks(t *testing.T, open Open) {
	x := start(t, open, Options{})
	message := x.aes.message(t, payment{})
	block := string(x.aes.set.BDK)
	for i := range block {
		c := byte('0')
		if block[i] == c {
			c = '1'
		}
		set := x.aes.set
		set.BDK = api.KeyBlock(block[:i] + string(rune(c)) + block[i+1:])
		_, err := x.hsm.Open(t.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{set}})
		x.want("a changed block", err, api.ErrKey)
	}
	y := start(t, open, Options{})
	set := x.aes.set
	_, err := y.hsm.Open(t.Context(), api.OpenRequest{Message: message, KeySets: []api.KeySet{set}})
	if info := y.info(); info.LMKCheck != x.info().LMKCheck {
		y.want("a block of another LMK", err, api.ErrKey)
	}
}

func (x *bench) info() api.Info {
	x.Helper()
	i, err := x.hsm.Info(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	return i
}

// checkpoints are signed forwards only, over restarts, by a key that stays.
func checkpoints(t *testing.T, open Open) {
	x := start(t, open, Options{})
	key := ed25519.PublicKey(x.info().CheckpointKey)
	head := [32]byte{1}
	sign := func(node string, boot, count uint64, head [32]byte) error {
		t.Helper()
		c, err := x.hsm.SignCheckpoint(t.Context(), node, boot, count, head)
		if err == nil && (!api.VerifyCheckpoint(key, c) || c.Node != node || c.Boot != boot || c.Count != count || c.Head != head) {
			t.Errorf("the signature of %s/%d does not verify", node, count)
		}
		return err
	}
	for _, s := range []struct {
		name, node  string
		boot, count uint64
		head        [32]byte
		want        error
	}{
		{"first", "node-1", 1, 10, head, nil},
		{"the same again", "node-1", 1, 10, head, nil},
		{"a fork", "node-1", 1, 10, [32]byte{2}, api.ErrPolicy},
		{"backwards", "node-1", 1, 9, head, api.ErrPolicy},
		{"forwards", "node-1", 1, 11, [32]byte{3}, nil},
		{"next boot, no new entries", "node-1", 2, 11, [32]byte{3}, nil},
		{"earlier boot", "node-1", 1, 12, [32]byte{4}, api.ErrPolicy},
		{"another node", "node-2", 1, 1, head, nil},
		{"no node", "", 1, 1, head, api.ErrInput},
		{"long name", strings.Repeat("n", 17), 1, 1, head, api.ErrInput},
		{"strange name", "node/1", 1, 1, head, api.ErrInput},
	} {
		x.want(s.name, sign(s.node, s.boot, s.count, s.head), s.want)
	}
	x.b.Restart(t)
	x.hsm, _ = x.b.Connect(t)
	if string(x.info().CheckpointKey) != string(key) {
		t.Error("the key changed over a restart")
	}
	x.want("backwards after a restart", sign("node-1", 2, 10, head), api.ErrPolicy)
	x.want("a fork after a restart", sign("node-1", 2, 11, head), api.ErrPolicy)
	x.want("forwards after a restart", sign("node-1", 3, 12, head), nil)
}

// modes: production takes no clear key and no test key, and makes live ones.
func modes(t *testing.T, open Open) {
	b := open(t, Options{Production: true})
	hsm, _ := b.Connect(t)
	x := &bench{TB: t, b: b, hsm: hsm}
	if x.info().Lab {
		t.Error("production says it is a lab")
	}
	_, err := hsm.ImportClear(t.Context(), api.ImportClear{
		Spec: api.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 16}, Key: hidden(unhex(t, aesBDK)),
	})
	x.want("a clear key in production", err, api.ErrPolicy)
	k, err := hsm.GenerateKey(t.Context(), api.KeySpec{Usage: "B0", Algorithm: "T", Mode: "X", Bytes: 16})
	if err != nil || k.Test || len(k.KCV) != 6 {
		t.Errorf("a key of production: test %v, check value %q, %v", k.Test, k.KCV, err)
	}
	lab := start(t, open, Options{})
	test, err := lab.hsm.GenerateKey(t.Context(), api.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 32})
	if err != nil || !test.Test || len(test.KCV) != 10 || !lab.info().Lab {
		t.Errorf("a key of the lab: test %v, check value %q, %v", test.Test, test.KCV, err)
	}
	tm := newTerminal(t, aesBDK, aesSet, lab.aes.set.BDK)
	_, err = hsm.Open(t.Context(), api.OpenRequest{Message: tm.message(t, payment{}), KeySets: []api.KeySet{tm.set}})
	x.want("a test key in production", err, api.ErrKey)
	set := lab.tdes.set
	set.BDK = k.Block
	_, err = lab.hsm.Open(t.Context(), api.OpenRequest{Message: lab.tdes.message(t, payment{}), KeySets: []api.KeySet{set}})
	lab.want("a live key in the lab", err, api.ErrKey)
	for _, usage := range []string{"M7", "S0"} {
		if _, err := hsm.GenerateKey(t.Context(), api.KeySpec{Usage: usage, Algorithm: "H", Mode: "G", Bytes: 32}); err == nil {
			t.Errorf("a key of the boundary's own usage %s was made", usage)
		}
	}
}

// transport takes an initial key to a terminal and back: the two components make
// the key that opens the block, and what is inside is the published key.
func transport(t *testing.T, open Open) {
	x := start(t, open, Options{})
	tr, err := x.hsm.NewTransport(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kbpk := make([]byte, 32)
	if n := subtle.XORBytes(kbpk, tr.Components[0].Expose(), tr.Components[1].Expose()); n != 32 {
		t.Fatalf("components of %d bytes", n)
	}
	for _, tm := range []*terminal{x.aes, x.tdes} {
		out, err := x.hsm.InitialKey(t.Context(), api.InitialKeyRequest{Set: tm.set, Transport: tr.Key.Block})
		if err != nil {
			t.Fatal(err)
		}
		h, ik, err := keyblock.Unwrap(kbpk, out.Block)
		if err != nil || h.Usage != "B1" || h.Mode != 'X' {
			t.Fatalf("the block opens with header %+v, %v", h, err)
		}
		keys, err := dukpt.KeysFromInitial(ik, tm.keys(t, 1).KSN(), 0)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := keys.MAC(dukpt.Request, []byte("x"))
		b, errB := tm.keys(t, 1).MAC(dukpt.Request, []byte("x"))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("the initial key is another one: %v, %v", errA, errB)
		}
		back, err := x.hsm.ImportBlock(t.Context(), tr.Key.Block, out.Block)
		if err != nil || back.Spec.Usage != "B1" || back.KCV != out.KCV || !back.Test {
			t.Errorf("importing it again gives %+v, %v", back.Spec, err)
		}
	}
	_, err = x.hsm.InitialKey(t.Context(), api.InitialKeyRequest{Set: x.aes.set, Transport: x.aes.set.BDK})
	x.want("a base key as transport", err, api.ErrKey)
	bad := x.aes.set
	bad.ID = bad.ID[:7]
	_, err = x.hsm.InitialKey(t.Context(), api.InitialKeyRequest{Set: bad, Transport: tr.Key.Block})
	x.want("a short set", err, api.ErrInput)
	_, err = x.hsm.ImportBlock(t.Context(), tr.Key.Block, string(x.aes.set.BDK))
	x.want("a block of the LMK as import", err, api.ErrKey)
}
