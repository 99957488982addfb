package terminal

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"sync"
	"testing"

	"tallystick.example/agent/internal/device"
	"tallystick.example/dukpt"
	"tallystick.example/dukpt/pinblock"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

const (
	testPAN = "4761739001010010"
	testPIN = "1234"
)

// A chip is a small card with one application that wants an online PIN: SELECT,
// GET PROCESSING OPTIONS, one record, two GENERATE ACs. fault changes it.
type chip struct {
	mu       sync.Mutex
	ac       int
	noTC     bool // declines what the host has approved
	offline  bool // declines at once
	pullAt   byte // instruction at which it is gone
	pullAC   int  // at which GENERATE AC
	commands []byte
}

// record is the content of the card's record: PAN, track 2, expiry, sequence
// number, CDOLs, CVM list (online PIN if supported, else none), usage, country.
const record = "5A084761739001010010" + "5F2403311231" + "57114761739001010010D31122011234599999" + "5F340101" +
	"8C159F02069F03069F1A0295055F2A029A039C019F3704" + "8D098A0295059B029F3704" +
	"8E0C000000000000000042031F03" + "9F0702FF00" + "5F28020276" + "9F0E050000000000" + "9F0D05F8780400A8" + "9F0F05F8780400F8"

func tlv(tag string, content []byte) []byte {
	out := append(unhex(tag), byte(len(content)))
	if len(content) > 127 {
		out = append(unhex(tag), 0x81, byte(len(content)))
	}
	return append(out, content...)
}

// Transmit answers like a card.
func (c *chip) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands = append(c.commands, cmd[1])
	if cmd[1] == 0xAE {
		c.ac++
	}
	if c.pullAt == cmd[1] && (cmd[1] != 0xAE || c.pullAC == c.ac) {
		return nil, device.ErrCardRemoved
	}
	ok := func(b []byte) ([]byte, error) { return append(b, 0x90, 0x00), nil }
	switch cmd[1] {
	case 0xA4:
		if string(cmd[5:8]) != "\xA0\x00\x00" {
			return unhex("6A82"), nil // no directory
		}
		name := cmd[5 : 5+cmd[4]]
		return ok(tlv("6F", append(tlv("84", name), tlv("A5", tlv("50", []byte("VISA CREDIT")))...)))
	case 0xA8:
		return ok(unhex("770A" + "82021800" + "940408010100"))
	case 0xB2:
		return ok(tlv("70", unhex(record)))
	case 0xAE:
		return ok(append([]byte{0x80, 18}, c.cryptogram(cmd[2])...))
	}
	return unhex("6D00"), nil
}

// cryptogram answers a GENERATE AC: what was asked for, or less.
func (c *chip) cryptogram(asked byte) []byte {
	cid := asked & 0xC0
	if c.ac == 1 && c.offline || c.ac == 2 && c.noTC {
		cid = 0
	}
	return append([]byte{cid, 0, 7, 1, 2, 3, 4, 5, 6, 7, byte(c.ac)}, unhex("06010A03A00000")...)
}

func (c *chip) PowerOff(context.Context) error { return nil }

// A slot is a reader with a chip in it.
type slot struct {
	mu      sync.Mutex
	card    *chip
	in      bool
	changed chan struct{}
	down    bool
}

func newSlot(c *chip) *slot { return &slot{card: c, in: true, changed: make(chan struct{})} }

func (s *slot) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func (s *slot) Name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return ""
	}
	return "test slot"
}

func (s *slot) put(in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in = in
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *slot) WaitCard(ctx context.Context, present bool) error {
	for {
		s.mu.Lock()
		in, changed := s.in, s.changed
		s.mu.Unlock()
		if in == present {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

func (s *slot) PowerOn(context.Context, device.Tap) (Card, error) { return s.card, nil }

// A pad enters the test PIN, or fails.
type pad struct{ err error }

func (p *pad) PIN(context.Context, func(int)) (secret.Secret, error) {
	if p.err != nil {
		return secret.Secret{}, p.err
	}
	return secret.New([]byte(testPIN)), nil
}

func (p *pad) Close() {}

// A host is the other end of the line, with the base key: it checks every MAC
// and counter, and answers as the test says.
type host struct {
	t    *testing.T
	base *dukpt.Base

	mu      sync.Mutex
	seen    []*iso8583.Message
	used    map[string]bool
	answer  func(h *host, m *iso8583.Message) (rc string, change func(a *iso8583.Message))
	breaks  func(m *iso8583.Message) bool // closes the connection instead of answering
	noMAC   bool
	highest []byte
	down    bool
}

var errDown = errors.New("connection refused")

func (h *host) dial(context.Context) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return nil, errDown
	}
	ours, theirs := net.Pipe()
	go h.serve(theirs)
	return ours, nil
}

func (h *host) serve(c net.Conn) {
	defer c.Close()
	for {
		f, err := iso8583.ReadFrame(c, nil, iso8583.Limits{})
		if err != nil {
			return
		}
		b := h.handle(f.Body)
		if b == nil {
			return
		}
		if len(b) > 0 && iso8583.WriteFrame(c, iso8583.Frame{Body: b}) != nil {
			return
		}
	}
}

// handle checks a message and makes its answer: nil closes the connection, no
// bytes are no answer.
func (h *host) handle(body []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, err := iso8583.Unpack(body)
	if err != nil {
		h.t.Errorf("the terminal sent what cannot be read: %v", err)
		return nil
	}
	if err := iso8583.Validate(m, iso8583.ToHost); err != nil {
		h.t.Errorf("the terminal broke the message table: %v", err)
	}
	h.seen = append(h.seen, m)
	if m.Digits(70) == iso8583.Echo {
		return h.pack(m, "00", nil, nil)
	}
	keys := h.check(m)
	if keys == nil {
		return nil
	}
	if h.breaks != nil && h.breaks(m) {
		return nil
	}
	if m.MTI().Class() == iso8583.ClassNetwork {
		return h.pack(m, "00", keys, func(a *iso8583.Message) {
			if h.highest != nil {
				p, _ := a.Private()
				p.HighestKSNs = [][]byte{h.highest}
				a.SetPrivate(p)
			}
		})
	}
	rc, change := h.answer(h, m)
	if rc == "" {
		return []byte{}
	}
	return h.pack(m, rc, keys, change)
}

// check verifies MAC and freshness of the counter and returns the keys.
func (h *host) check(m *iso8583.Message) *dukpt.WorkingKeys {
	p, err := m.Private()
	if err != nil {
		h.t.Error(err)
		return nil
	}
	if h.used[string(p.MACKSN)] {
		h.t.Errorf("KSN %x was used twice", p.MACKSN)
	}
	h.used[string(p.MACKSN)] = true
	scheme := dukpt.AES
	if len(p.MACKSN) == 10 {
		scheme = dukpt.TDES
	}
	ksn, err := dukpt.ParseKSN(scheme, p.MACKSN)
	if err != nil {
		h.t.Error(err)
		return nil
	}
	keys, err := h.base.Keys(ksn, 0)
	if err != nil {
		h.t.Error(err)
		return nil
	}
	in, mac, err := iso8583.MACInput(m.Raw())
	if err != nil {
		h.t.Error(err)
		return nil
	}
	if ok, err := keys.VerifyMAC(dukpt.Request, in, mac); err != nil || !ok {
		h.t.Errorf("the MAC of a %v is wrong: %v", m.MTI(), err)
	}
	if m.MTI() == iso8583.FinancialRequest {
		h.checkSecrets(m, p, keys)
	}
	return keys
}

// checkSecrets deciphers card data and PIN.
func (h *host) checkSecrets(m *iso8583.Message, p iso8583.Private, keys *dukpt.WorkingKeys) {
	card, err := keys.DecryptData(dukpt.Request, p.CardData.IV, p.CardData.Ciphertext)
	if want := "57114761739001010010D31122011234599999" + "5F340101" + "80"; err != nil || hex.EncodeToString(card)[:len(want)] != hexLower(want) {
		h.t.Errorf("card data %x, %v", card, err)
	}
	block, format := p.PINBlock.Expose(), pinblock.ISO4
	if m.Has(52) {
		block, format = m.Bytes(52), pinblock.ISO0
	}
	if len(block) == 0 {
		return
	}
	pin, err := keys.DecryptPIN(format, block, []byte(testPAN))
	if err != nil || string(pin) != testPIN {
		h.t.Errorf("PIN %q, %v", pin, err)
	}
}

func hexLower(s string) string { return hex.EncodeToString(unhex(s)) }

func (h *host) pack(m *iso8583.Message, rc string, keys *dukpt.WorkingKeys, change func(a *iso8583.Message)) []byte {
	a, err := iso8583.Answer(m, rc)
	if err != nil {
		h.t.Error(err)
		return nil
	}
	if m.MTI().Class() != iso8583.ClassNetwork {
		a.SetText(37, "632914000041")
		if (rc == "00" || rc == "10") && m.MTI().Class() == iso8583.ClassPayment {
			a.SetText(38, "A1B2C3")
		}
	}
	if change != nil {
		change(a)
	}
	var b []byte
	if keys == nil || h.noMAC {
		b, err = iso8583.Pack(a)
	} else {
		b, err = iso8583.SealMAC(a, func(in []byte) ([8]byte, error) {
			mac, err := keys.MAC(dukpt.Response, in)
			return [8]byte(mac), err
		})
	}
	if err != nil {
		h.t.Error(err)
	}
	return b
}

// sent are the message types seen so far, without sign-ons and echoes.
func (h *host) sent() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, m := range h.seen {
		if m.MTI().Class() != iso8583.ClassNetwork {
			out = append(out, m.MTI().String())
		}
	}
	return out
}
