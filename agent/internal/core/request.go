package core

import (
	"errors"
	"fmt"
	"io"
	"time"

	"tallystick.example/agent/internal/hostlink"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/dukpt"
	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
)

// intend builds the request, keeps it in memory and has journaled what its
// reversal needs; false means that the payment goes on another way: a request
// that cannot be built was never sent.
func (c *Core) intend(now time.Time) bool {
	s := c.sale
	err := c.build(now)
	var skeleton []byte
	if err == nil {
		skeleton, err = skeletonOf(s.message)
	}
	if err != nil {
		c.unbuilt(now, err)
		return false
	}
	pan := s.first.Card.PAN.Expose()
	w := WriteIntent{s.Attempt, journal.Intent{
		Counter: s.keys.KSN().Counter(), EntryMode: c.entryMode(), LastFour: string(pan[max(0, len(pan)-4):]),
		Request: skeleton, AID: fmt.Sprintf("%X", s.first.Card.AID), Label: s.first.Card.Label, ATC: chipHex(s.first.DE55, emv.TagATC),
	}}
	if c.cfg.SendFirst {
		s.held = &w
		return true
	}
	c.do(w)
	return true
}

// unbuilt ends a sale whose request cannot be made.
func (c *Core) unbuilt(now time.Time, err error) {
	c.note(Failure, "the request could not be built", map[string]any{"error": err.Error()})
	c.payment(now, payment.NotSent{Why: "the terminal could not build the request"})
}

// request sends the request, once.
func (c *Core) request(now time.Time) {
	s := c.sale
	c.keys[s.purpose()] = s.keys
	c.linked(now, c.link.Send(now, hostlink.Request{Tag: s.purpose(), Message: s.message, Body: s.body, Verify: verifier(s.keys)}))
}

// build makes the sealed request: chip data, encrypted card data, PIN block and
// MAC under one counter.
func (c *Core) build(now time.Time) error {
	s := c.sale
	card, err := encryptCard(s.keys, s.first.Card, c.cfg.Random)
	if err != nil {
		return err
	}
	ksn := s.keys.KSN().Bytes()
	numbers, tell := c.confirmations()
	p := iso8583.Payment{
		Header: c.header(s.STAN, now), Type: s.kind(),
		Amount:   iso8583.Amount{Minor: s.Amount, Currency: s.Currency},
		Cashback: s.Cashback, Entry: c.entryMode(), Chip: s.first.DE55,
		Private: tell(iso8583.Private{
			AttemptID: iso8583.AttemptID(s.attempt.ID), DataKSN: ksn, CardData: card, Capabilities: c.cfg.Capabilities,
		}),
	}
	if n := s.first.Card.Sequence; n >= 0 {
		p.CardSequence = fmt.Sprintf("%03d", n)
	}
	if !s.pinBlock.IsZero() {
		p.Private.PINKSN = ksn
		if s.pinBlock.Len() == 8 {
			p.PINBlock = s.pinBlock
		} else {
			p.Private.PINBlock = s.pinBlock
		}
	}
	m, err := iso8583.NewPayment(p)
	if err != nil {
		return err
	}
	body, err := seal(m, s.keys)
	if err != nil {
		return err
	}
	s.message, s.body, s.confirms = m, body, numbers
	return nil
}

// entryMode is DE 22: chip, and what was done about a PIN.
func (c *Core) entryMode() string {
	s := c.sale
	switch s.first.CVM.Code.Method() {
	case emv.CVMPlaintextPIN, emv.CVMEncipheredPIN:
		if s.first.CVM.Outcome == emv.CVMSuccessful {
			return "059"
		}
	}
	if c.cfg.Capabilities&iso8583.CapOnlinePIN == 0 {
		return "052"
	}
	return "051"
}

// encryptCard makes the card data blob: track 2 equivalent data, or PAN and
// expiry, and the PAN sequence number, padded 80 00…, in CBC mode under the data
// key of the message.
func encryptCard(keys *dukpt.WorkingKeys, c *kernel.CardInfo, random io.Reader) (iso8583.CardData, error) {
	clearText := cardObjects(c)
	defer func() { clear(clearText) }()
	block := keys.BlockSize()
	clearText = append(clearText, 0x80)
	for len(clearText)%block != 0 {
		clearText = append(clearText, 0)
	}
	iv := make([]byte, block)
	if _, err := io.ReadFull(random, iv); err != nil {
		return iso8583.CardData{}, fmt.Errorf("drawing an IV: %w", err)
	}
	enciphered, err := keys.EncryptData(dukpt.Request, iv, clearText)
	if err != nil {
		return iso8583.CardData{}, fmt.Errorf("encrypting card data: %w", err)
	}
	return iso8583.CardData{IV: iv, Ciphertext: enciphered}, nil
}

// cardRoom is more than the longest card data, so that no copy of them is left
// behind by growing.
const cardRoom = 128

func cardObjects(c *kernel.CardInfo) []byte {
	b := make([]byte, 0, cardRoom)
	if !c.Track2.IsZero() {
		b = ber.Append(b, uint32(emv.TagTrack2), c.Track2.Expose())
	} else {
		pan := packDigits(c.PAN.Expose())
		defer clear(pan)
		b = ber.Append(b, uint32(emv.TagPAN), pan)
		b = ber.Append(b, uint32(emv.TagExpiry), packDigits([]byte(c.Expiry)))
	}
	if c.Sequence >= 0 {
		b = ber.Append(b, uint32(emv.TagPANSequence), []byte{byte(c.Sequence/10<<4 | c.Sequence%10)})
	}
	return b
}

// packDigits packs ASCII digits two to a byte, filled with F on the right.
func packDigits(d []byte) []byte {
	b := make([]byte, (len(d)+1)/2)
	for i := range b {
		low := byte(0x0F)
		if 2*i+1 < len(d) {
			low = d[2*i+1] & 0x0F
		}
		b[i] = d[2*i]<<4 | low
	}
	return b
}

// skeletonOf is the packed request without card data, PIN block, chip data and
// MAC: all that a reversal is built from, and nothing that may not be stored.
func skeletonOf(m *iso8583.Message) ([]byte, error) {
	p, err := m.Private()
	if err != nil {
		return nil, err
	}
	c := m.Clone()
	for _, de := range []int{52, 55, 64, 128} {
		c.Clear(de)
	}
	c.SetPrivate(iso8583.Private{AttemptID: p.AttemptID})
	return iso8583.Pack(c)
}

// failedExchange is the event of an exchange without a good answer.
func failedExchange(err error) payment.Event {
	switch {
	case errors.Is(err, hostlink.ErrNotSent):
		return payment.NotSent{Why: "the host cannot be reached"}
	case errors.Is(err, hostlink.ErrBadMAC):
		return payment.BadAnswer{Reason: iso8583.ReasonBadMAC}
	case errors.Is(err, hostlink.ErrBadAnswer):
		return payment.BadAnswer{Reason: iso8583.ReasonBadAnswer}
	}
	return payment.NoAnswer{}
}

// verdictOf reads DE 39 through the message table. This terminal does not
// announce partial approval: one that comes all the same is given back.
func verdictOf(m *iso8583.Message) payment.Event {
	answer := payment.Answer{RC: m.ResponseCode(), RRN: m.RRN(), Auth: m.Text(38)}
	action, reverse := iso8583.ActionFor(m.MTI(), answer.RC)
	switch {
	case reverse:
		return payment.Answered{Verdict: payment.VerdictUnsure, Answer: answer}
	case action == iso8583.Approve && answer.RC != "00":
		return payment.BadAnswer{Reason: iso8583.ReasonPartialRefused}
	case action == iso8583.Approve:
		return payment.Answered{Verdict: payment.VerdictApproved, Answer: answer}
	}
	return payment.Answered{Verdict: payment.VerdictDeclined, Answer: answer}
}
