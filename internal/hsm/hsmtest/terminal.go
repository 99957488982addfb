package hsmtest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// Published test keys: X9.24-3:2017 supplement and X9.24-1:2009 A.4; the others
// are the usual ones of test suites.
const (
	aesBDK  = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
	aesSet  = "1234567890123456"
	tdesBDK = "0123456789ABCDEFFEDCBA9876543210"
	tdesSet = "FFFF9876543210E00000"
	testIMK = "101F37759851C25EE3916BE61654AD83"
	testPVK = "0123456789ABCDEFFEDCBA9876543210"
	testCVK = "0123456789ABCDEFFEDCBA9876543210"
)

// A terminal makes messages under one key set. Its randomness is fixed.
type terminal struct {
	base    *dukpt.Base
	initial dukpt.KSN
	set     api.KeySet
	id      string
}

func newTerminal(t testing.TB, bdk, set string, block api.KeyBlock) *terminal {
	t.Helper()
	scheme, name, ksn := dukpt.TDES, api.SchemeTDES, unhex(t, set)
	id := bytes.Clone(ksn)
	if len(ksn) == 8 {
		scheme, name, ksn = dukpt.AES, api.SchemeAES, append(ksn, 0, 0, 0, 0)
	}
	base, err := dukpt.NewBase(scheme, unhex(t, bdk))
	if err != nil {
		t.Fatal(err)
	}
	initial, err := dukpt.ParseKSN(scheme, ksn)
	if err != nil {
		t.Fatal(err)
	}
	return &terminal{base: base, initial: initial, id: "TERM0001",
		set: api.KeySet{Scheme: name, ID: id, BDK: block, PIN: true, MAC: true, Data: true}}
}

// keys are the working keys of one counter.
func (tm *terminal) keys(t testing.TB, counter uint32) *dukpt.WorkingKeys {
	t.Helper()
	ksn, err := tm.initial.WithCounter(counter)
	if err != nil {
		t.Fatal(err)
	}
	k, err := tm.base.Keys(ksn, 0)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A payment is what a terminal sends. Zero values are left out.
type payment struct {
	counter uint32 // of MAC, PIN and data; zero counts as 1
	card    cardblob.Card
	blob    []byte // in place of card: a padded blob as it is
	pin     string
	block   []byte // in place of pin: an enciphered block as it is
	pinAt   uint32 // counter of the PIN, when it is another
	chip    []byte // DE 55
	entry   string // DE 22; empty: 051 with chip data, else 901
	private func(*iso8583.Private)
}

// message builds and MACs a 0200.
func (tm *terminal) message(t testing.TB, p payment) []byte {
	t.Helper()
	m := tm.build(t, p)
	b, err := iso8583.SealMAC(m, tm.mac(t, p.count(), dukpt.Request))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p payment) count() uint32 { return max(p.counter, 1) }

func (tm *terminal) mac(t testing.TB, counter uint32, d dukpt.Direction) func([]byte) ([8]byte, error) {
	keys := tm.keys(t, counter)
	return func(in []byte) ([8]byte, error) {
		sum, err := keys.MAC(d, in)
		if err != nil {
			return [8]byte{}, err
		}
		return [8]byte(sum), nil
	}
}

func (tm *terminal) build(t testing.TB, p payment) *iso8583.Message {
	t.Helper()
	keys := tm.keys(t, p.count())
	ksn := keys.KSN().Bytes()
	private := iso8583.Private{AttemptID: iso8583.AttemptID{1, 15: byte(p.count())}, MACKSN: ksn}
	if blob := p.padded(t, keys.BlockSize()); blob != nil {
		iv := bytes.Repeat([]byte{0x5A}, keys.BlockSize())
		ciphertext, err := keys.EncryptData(dukpt.Request, iv, blob)
		if err != nil {
			t.Fatal(err)
		}
		private.DataKSN, private.CardData = ksn, iso8583.CardData{IV: iv, Ciphertext: ciphertext}
	}
	m := iso8583.New(iso8583.FinancialRequest)
	m.SetDigits(3, "000000")
	m.SetAmount(iso8583.Amount{Minor: 1234, Currency: 978})
	m.SetDigits(7, "1124130509")
	m.SetDigits(11, "000042")
	m.SetDigits(12, "140509")
	m.SetDigits(13, "1124")
	m.SetDigits(22, p.entryMode())
	m.SetDigits(25, "00")
	m.SetText(41, tm.id)
	m.SetText(42, "MERCHANT00001")
	tm.addPIN(t, m, &private, p)
	if p.chip != nil {
		m.SetBytes(55, p.chip)
	}
	if p.private != nil {
		p.private(&private)
	}
	m.SetPrivate(private)
	if m.Err() != nil {
		t.Fatal(m.Err())
	}
	return m
}

func (p payment) entryMode() string {
	switch {
	case p.entry != "":
		return p.entry
	case p.chip != nil:
		return "051"
	}
	return "901"
}

// padded is the clear card data, nil when the payment has none.
func (p payment) padded(t testing.TB, block int) []byte {
	t.Helper()
	if p.blob != nil || p.card.PAN.IsZero() && p.card.Track2.IsZero() {
		return p.blob
	}
	b, err := p.card.Build(block)
	if err != nil {
		t.Fatal(err)
	}
	return b.Expose()
}

// addPIN puts the PIN block where its scheme has it.
func (tm *terminal) addPIN(t testing.TB, m *iso8583.Message, private *iso8583.Private, p payment) {
	t.Helper()
	if p.pin == "" && p.block == nil {
		return
	}
	keys := tm.keys(t, p.count())
	if p.pinAt != 0 {
		keys = tm.keys(t, p.pinAt)
	}
	block := p.block
	if block == nil {
		var err error
		block, err = keys.EncryptPIN(keys.PINFormat(), []byte(p.pin), p.card.PAN.Expose(), bytes.NewReader(make([]byte, 64)))
		if err != nil {
			t.Fatal(err)
		}
	}
	private.PINKSN = keys.KSN().Bytes()
	if tm.set.Scheme == api.SchemeAES {
		private.PINBlock = secret.New(block)
		return
	}
	m.SetBytes(52, block)
}

// answer packs the answer to a message with its MAC's place empty.
func answer(t testing.TB, message []byte, rc string) []byte {
	t.Helper()
	req, err := iso8583.Unpack(message)
	if err != nil {
		t.Fatal(err)
	}
	m, err := iso8583.Answer(req, rc)
	if err != nil {
		t.Fatal(err)
	}
	m.SetText(37, "000000000001")
	if rc == "00" {
		m.SetText(38, "123456")
	}
	b, err := iso8583.PackForMAC(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// authentic checks the MAC of an answer as the terminal does.
func (tm *terminal) authentic(counter uint32, packed []byte) error {
	input, code, err := iso8583.MACInput(packed)
	if err != nil {
		return err
	}
	ksn, err := tm.initial.WithCounter(counter)
	if err != nil {
		return err
	}
	keys, err := tm.base.Keys(ksn, 0)
	if err != nil {
		return err
	}
	if ok, err := keys.VerifyMAC(dukpt.Response, input, code); err != nil || !ok {
		return fmt.Errorf("the terminal finds the MAC of the answer right: %v (%v)", ok, err)
	}
	return nil
}

// checkAnswer reads an answer whose MAC must be right.
func (tm *terminal) checkAnswer(t testing.TB, counter uint32, packed []byte) *iso8583.Message {
	t.Helper()
	if err := tm.authentic(counter, packed); err != nil {
		t.Fatal(err)
	}
	m, err := iso8583.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// plain is a card of which only the number is read.
func plain(pan string) cardblob.Card {
	return cardblob.Card{PAN: text(pan), Expiry: "2912", PSN: "00"}
}

// stripe is a card with track 2.
func stripe(t testing.TB, pan, track string) cardblob.Card {
	t.Helper()
	v, err := cardblob.PackTrack2([]byte(track))
	if err != nil {
		t.Fatal(err)
	}
	return cardblob.Card{PAN: text(pan), Track2: v}
}

func text(s string) secret.Secret { return secret.New([]byte(s)) }

func hidden(b []byte) secret.Secret { return secret.New(b) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const halfMinute = 30 * time.Second
