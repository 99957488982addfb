package app_test

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/dukpt/keyblock"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

// The card of the tests, with keys that everybody knows.
const (
	testPAN  = "4929000000000006"
	testPIN  = "1234"
	testIMK  = "101F37759851C25EE3916BE61654AD83"
	merchant = "MERCHANT0000001"
)

// addCard issues the card with a balance in minor units.
func (l *lab) addCard(pan string, balance int64) {
	l.t.Helper()
	l.run("card", "add", "--pan", l.file("pan", pan), "--pin", l.file("pin", testPIN), "--imk", l.file("imk", testIMK),
		"--expiry", "3012", "--profile", "visa_cvn10", "--account", "acc-"+pan[12:], "--balance", fmt.Sprint(balance))
}

// A terminal is a test's terminal: its own key and certificate, a DUKPT key set,
// a counter, and a card in it.
type terminal struct {
	t      testing.TB
	l      *lab
	id     string
	tls    *tls.Config
	ik     []byte
	ksn    dukpt.KSN
	mu     sync.Mutex
	stan   uint32
	atc    uint16
	number uint64
	pan    string
}

// addTerminal registers a terminal with a key set.
func (l *lab) addTerminal(id, scheme string) *terminal {
	l.t.Helper()
	key, keyPEM, err := xtls.NewKey()
	if err != nil {
		l.t.Fatal(err)
	}
	csr, err := xtls.NewRequest(key, xtls.Identity{Terminal: id, Merchant: merchant})
	if err != nil {
		l.t.Fatal(err)
	}
	out := filepath.Join(l.dir, id+".crt")
	l.run("terminal", "add", id, "--merchant", merchant, "--csr", l.file(id+".csr", string(csr)), "--out", out)
	cert, err1 := os.ReadFile(out)
	ca, err2 := os.ReadFile(out + ".ca")
	if err1 != nil || err2 != nil {
		l.t.Fatal(err1, err2)
	}
	cfg, err := xtls.Client(cert, keyPEM, ca, "localhost")
	if err != nil {
		l.t.Fatal(err)
	}
	tm := &terminal{t: l.t, l: l, id: id, tls: cfg, pan: testPAN}
	tm.load(scheme)
	return tm
}

// load takes a key set from the host as two custodians would.
func (tm *terminal) load(scheme string) {
	t, dir := tm.t, filepath.Join(tm.l.dir, "keys-"+tm.id+scheme)
	t.Helper()
	files := lines[struct {
		SetID      string `json:"set_id"`
		Block      string
		Components []string
	}](t, tm.l.run("terminal", "keys", tm.id, "--scheme", scheme, "--out", dir, "--json"))[0]
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	kbpk := unhex(t, read(files.Components[0]))
	for i, b := range unhex(t, read(files.Components[1])) {
		kbpk[i] ^= b
	}
	_, ik, err := keyblock.Unwrap(kbpk, read(files.Block))
	if err != nil {
		t.Fatal(err)
	}
	id := unhex(t, files.SetID)
	s := dukpt.TDES
	if scheme == "aes" {
		s = dukpt.AES
	}
	tm.ik = ik
	if tm.ksn, err = dukpt.ParseID(s, id); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// advance gives the working keys of the next counter.
func (tm *terminal) advance() *dukpt.WorkingKeys {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	var err error
	if tm.ksn, err = tm.ksn.Next(); err != nil {
		tm.t.Fatal(err)
	}
	return tm.keysAt(tm.ksn)
}

func (tm *terminal) keysAt(ksn dukpt.KSN) *dukpt.WorkingKeys {
	k, err := dukpt.KeysFromInitial(tm.ik, ksn, 0)
	if err != nil {
		tm.t.Fatal(err)
	}
	return k
}

// A link is one connection of a terminal, used by one goroutine.
type link struct {
	*terminal
	c *tls.Conn
}

func (tm *terminal) dial() *link {
	tm.t.Helper()
	c, err := tls.Dial("tcp", tm.l.addr, tm.tls)
	if err != nil {
		tm.t.Fatal(err)
	}
	tm.t.Cleanup(func() { c.Close() })
	return &link{tm, c}
}

// exchange sends packed bytes and reads one answer.
func (k *link) exchange(packed []byte) (*iso8583.Message, error) {
	if err := iso8583.WriteFrame(k.c, iso8583.Frame{Body: packed}); err != nil {
		return nil, err
	}
	return k.receive()
}

func (k *link) receive() (*iso8583.Message, error) {
	if err := k.c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	f, err := iso8583.ReadFrame(k.c, nil, iso8583.Limits{})
	if err != nil {
		return nil, err
	}
	return iso8583.Unpack(f.Body)
}

// ask exchanges a request under keys, checks that the answer is its answer and
// authentic, and returns it.
func (k *link) ask(req *iso8583.Message, keys *dukpt.WorkingKeys) *iso8583.Message {
	k.t.Helper()
	ans, err := k.exchange(seal(k.t, req, keys))
	if err != nil {
		k.t.Fatalf("%s: %v", req.MTI(), err)
	}
	k.authentic(req, ans, keys)
	return ans
}

// authentic checks an answer as a terminal does.
func (k *link) authentic(req, ans *iso8583.Message, keys *dukpt.WorkingKeys) {
	k.t.Helper()
	input, code, err := iso8583.MACInput(ans.Raw())
	if err != nil {
		k.t.Fatalf("answer %s to %s: %v", ans.ResponseCode(), req.MTI(), err)
	}
	if ok, err := keys.VerifyMAC(dukpt.Response, input, code); err != nil || !ok {
		k.t.Fatalf("the MAC of the answer is wrong (%v)", err)
	}
	if err := iso8583.Matches(req, ans); err != nil {
		k.t.Fatal(err)
	}
	if err := iso8583.Validate(ans, iso8583.ToTerminal); err != nil {
		k.t.Fatalf("the answer breaks the interface: %v", err)
	}
}

// seal packs m with a MAC under keys.
func seal(t testing.TB, m *iso8583.Message, keys *dukpt.WorkingKeys) []byte {
	t.Helper()
	b, err := iso8583.SealMAC(m, func(in []byte) ([8]byte, error) {
		sum, err := keys.MAC(dukpt.Request, in)
		if err != nil {
			return [8]byte{}, err
		}
		return [8]byte(sum), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// header is what every message of the terminal carries, with the next STAN.
func (tm *terminal) header() iso8583.Header {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	tm.stan++
	return iso8583.Header{Terminal: tm.id, Merchant: merchant, STAN: tm.stan, At: time.Now()}
}

// nextAttempt is a fresh attempt id.
func (tm *terminal) nextAttempt() iso8583.AttemptID {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	tm.number++
	return iso8583.AttemptID{0: 0xE0, 1: tm.id[7], 14: byte(tm.number >> 8), 15: byte(tm.number)}
}

// A sale is what a test wants to pay.
type sale struct {
	minor  int64
	pin    string // empty: none
	entry  string // DE 22; empty: 051 with chip
	spoil  bool   // a wrong cryptogram
	change func(*iso8583.Payment)
}

// plan makes everything of a sale that does not depend on keys.
func (tm *terminal) plan(s sale) iso8583.Payment {
	tm.t.Helper()
	if s.entry == "" {
		s.entry = "051"
	}
	p := iso8583.Payment{Header: tm.header(), Type: iso8583.Purchase, Amount: iso8583.Amount{Minor: s.minor, Currency: 978}, Entry: s.entry}
	p.Private = iso8583.Private{AttemptID: tm.nextAttempt()}
	if strings.HasPrefix(s.entry, "05") {
		p.Chip = tm.chip(s)
	}
	if s.change != nil {
		s.change(&p)
	}
	return p
}

// encrypt makes the 0200 of a plan under keys: every transmission has PIN and
// card data of its own.
func (tm *terminal) encrypt(p iso8583.Payment, pin string, keys *dukpt.WorkingKeys) *iso8583.Message {
	tm.t.Helper()
	ksn := keys.KSN().Bytes()
	p.Private.MACKSN, p.Private.DataKSN = ksn, ksn
	card := cardblob.Card{PAN: secret.New([]byte(tm.pan)), Expiry: "3012", PSN: "00"}
	blob, err := card.Build(keys.BlockSize())
	if err != nil {
		tm.t.Fatal(err)
	}
	iv := make([]byte, keys.BlockSize())
	if _, err := rand.Read(iv); err != nil {
		tm.t.Fatal(err)
	}
	ciphertext, err := keys.EncryptData(dukpt.Request, iv, blob.Expose())
	if err != nil {
		tm.t.Fatal(err)
	}
	p.Private.CardData = iso8583.CardData{IV: iv, Ciphertext: ciphertext}
	if pin != "" {
		block, err := keys.EncryptPIN(keys.PINFormat(), []byte(pin), []byte(tm.pan), rand.Reader)
		if err != nil {
			tm.t.Fatal(err)
		}
		p.Private.PINKSN = ksn
		if len(block) == 16 {
			p.Private.PINBlock = secret.New(block)
		} else {
			p.PINBlock = secret.New(block)
		}
	}
	m, err := iso8583.NewPayment(p)
	if err != nil {
		tm.t.Fatal(err)
	}
	return m
}

// purchase builds a 0200 under keys.
func (tm *terminal) purchase(s sale, keys *dukpt.WorkingKeys) *iso8583.Message {
	tm.t.Helper()
	return tm.encrypt(tm.plan(s), s.pin, keys)
}

// chip lets the card make a cryptogram (Visa CVN 10) over the sale.
func (tm *terminal) chip(s sale) []byte {
	tm.t.Helper()
	tm.mu.Lock()
	tm.atc++
	atc := tm.atc
	tm.mu.Unlock()
	amount := unhex(tm.t, fmt.Sprintf("%012d", s.minor))
	f := cryptogram.Fields{0x9F02: amount, 0x9F03: make([]byte, 6), 0x9F1A: {0x02, 0x76}, 0x95: make([]byte, 5), 0x5F2A: {0x09, 0x78},
		0x9A: {0x26, 0x11, 0x25}, 0x9C: {0}, 0x9F37: {1, 2, byte(atc >> 8), byte(atc)}, 0x82: {0x58, 0}, 0x9F36: {byte(atc >> 8), byte(atc)},
		0x9F10: unhex(tm.t, "06010A03A00000")}
	key, err := cryptogram.CardKey(secret.New(unhex(tm.t, testIMK)), cryptogram.Card{PAN: secret.New([]byte(tm.pan)), PSN: "00"})
	if err != nil {
		tm.t.Fatal(err)
	}
	ac, err := cryptogram.VisaCVN10.Generate(key, f)
	if err != nil {
		tm.t.Fatal(err)
	}
	if s.spoil {
		ac[3] ^= 1
	}
	f[0x9F26] = ac[:]
	var out []byte
	for _, tag := range []uint32{0x9F26, 0x9F10, 0x9F36, 0x9F37, 0x95, 0x9A, 0x9C, 0x9F02, 0x9F03, 0x5F2A, 0x82, 0x9F1A} {
		out = ber.Append(out, tag, f[tag])
	}
	return out
}

// pay sends a sale and returns request and answer.
func (k *link) pay(s sale) (req, ans *iso8583.Message) {
	k.t.Helper()
	keys := k.advance()
	req = k.purchase(s, keys)
	return req, k.ask(req, keys)
}

// reversalOf builds the 0420 of a request, or its repeat, under keys.
func (tm *terminal) reversalOf(req *iso8583.Message, stan uint32, repeat bool, keys *dukpt.WorkingKeys) *iso8583.Message {
	tm.t.Helper()
	m, err := iso8583.NewReversal(req, iso8583.Reversal{STAN: stan, At: time.Unix(1_790_000_000, 0),
		Private: iso8583.Private{Reason: iso8583.ReasonNoAnswer, MACKSN: keys.KSN().Bytes()}})
	if err != nil {
		tm.t.Fatal(err)
	}
	if repeat {
		return asRepeat(tm.t, m)
	}
	return m
}

// asRepeat is m with the repeat digit of its MTI set.
func asRepeat(t testing.TB, m *iso8583.Message) *iso8583.Message {
	t.Helper()
	packed, err := iso8583.Pack(m)
	if err != nil {
		t.Fatal(err)
	}
	packed[1] |= 1
	r, err := iso8583.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reverse sends the reversal of req and returns DE 39.
func (k *link) reverse(req *iso8583.Message) string {
	k.t.Helper()
	keys := k.advance()
	return k.ask(k.reversalOf(req, k.header().STAN, false, keys), keys).ResponseCode()
}
