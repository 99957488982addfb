package soft

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/core"
	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// maxKeySets bounds the registered sets of one terminal.
const maxKeySets = 8

// A received message with what Open needs of it.
type received struct {
	m       *iso8583.Message
	private iso8583.Private
	input   []byte // what the MAC covers
	mac     []byte
	sets    []api.KeySet
	txs     []transaction // derived so far
}

// A transaction is the DUKPT transaction of one KSN.
type transaction struct {
	ksn []byte
	core.Transaction
}

// Open authenticates a message and takes its secrets inside.
func (s *Session) Open(ctx context.Context, req api.OpenRequest) (api.Opened, error) {
	if err := s.ready(ctx); err != nil {
		return api.Opened{}, err
	}
	r, err := receive(req)
	if err != nil {
		return api.Opened{}, fmt.Errorf("reading a message: %w", api.ErrInput)
	}
	defer r.wipe()
	out := api.Opened{Digest: sha256.Sum256(req.Message)}
	if r.mac == nil || r.private.MACKSN == nil {
		out.MAC = api.MACMissing
		return out, nil
	}
	if !r.registered(&out) {
		return api.Opened{Digest: out.Digest, MAC: api.MACUnknownKSN}, nil
	}
	o, err := s.hsm.authenticate(r)
	if err != nil {
		return api.Opened{}, outward("authenticating a message", err)
	}
	out.MAC = api.MACInvalid
	if o.authentic {
		out.MAC = api.MACValid
		err = s.hsm.takeIn(r, o, &out)
	}
	if err == nil {
		out.Handle, err = s.keep(o)
	}
	if err != nil {
		o.wipe()
		return api.Opened{}, outward("opening a message", err)
	}
	return out, nil
}

// receive parses a message; its slices belong to it.
func receive(req api.OpenRequest) (*received, error) {
	if len(req.KeySets) > maxKeySets {
		return nil, api.ErrInput
	}
	m, err := iso8583.Unpack(req.Message)
	if err != nil {
		return nil, err
	}
	private, err := m.Private()
	if err != nil {
		return nil, err
	}
	input, mac, err := iso8583.MACInput(m.Raw())
	if err != nil && !errors.Is(err, iso8583.ErrNoMAC) {
		return nil, err
	}
	return &received{m: m, private: private, input: input, mac: mac, sets: req.KeySets}, nil
}

// wipe clears the derived keys and the PIN block.
func (r *received) wipe() {
	for _, t := range r.txs {
		t.Wipe()
	}
	r.private.PINBlock.Wipe()
}

// registered checks every KSN of the message against the sets of the terminal
// and writes sets and counters to out. It reports false when one of them is in
// no set that may be used like that, or its counter is never used.
func (r *received) registered(out *api.Opened) bool {
	for _, k := range []struct {
		ksn     []byte
		use     func(api.KeySet) bool
		id      *[]byte
		counter *uint32
	}{
		{r.private.MACKSN, func(s api.KeySet) bool { return s.MAC }, &out.SetID, &out.Counter},
		{r.private.DataKSN, func(s api.KeySet) bool { return s.Data }, &out.DataSetID, &out.DataCounter},
		{r.private.PINKSN, func(s api.KeySet) bool { return s.PIN }, &out.PINSetID, &out.PINCounter},
	} {
		if k.ksn == nil {
			continue
		}
		set := r.set(k.ksn)
		if set == nil || !k.use(*set) {
			return false
		}
		id, counter, err := core.SplitKSN(k.ksn)
		if err != nil {
			return false
		}
		*k.id, *k.counter = id, counter
	}
	// A PIN block is never stored, so under the set of the MAC it is of the same
	// transaction; another counter would be a PIN block sent again.
	return out.PINSetID == nil || !bytes.Equal(out.PINSetID, out.SetID) || out.PINCounter == out.Counter
}

// set finds the registered set of a KSN, nil when there is none.
func (r *received) set(ksn []byte) *api.KeySet {
	id, _, err := core.SplitKSN(ksn)
	if err != nil {
		return nil
	}
	for i, s := range r.sets {
		aes := s.Scheme == api.SchemeAES
		if bytes.Equal(s.ID, id) && aes == (len(ksn) == core.KSNLenAES) {
			return &r.sets[i]
		}
	}
	return nil
}

// transaction derives the transaction of a KSN, once for a message.
func (h *HSM) transaction(r *received, ksn []byte) (core.Transaction, error) {
	for _, t := range r.txs {
		if bytes.Equal(t.ksn, ksn) {
			return t.Transaction, nil
		}
	}
	bdk, err := h.unwrap(r.set(ksn).BDK)
	if err != nil {
		return core.Transaction{}, err
	}
	defer bdk.Wipe()
	t, err := core.NewTransaction(bdk, ksn)
	if err != nil {
		return core.Transaction{}, err
	}
	r.txs = append(r.txs, transaction{ksn, t})
	return t, nil
}

// authenticate checks the MAC and prepares that of the answer.
func (h *HSM) authenticate(r *received) (*opened, error) {
	t, err := h.transaction(r, r.private.MACKSN)
	if err != nil {
		return nil, err
	}
	valid, err := t.VerifyMAC(r.input, r.mac)
	if err != nil {
		return nil, err
	}
	response, err := t.AnswerMACKey()
	if err != nil {
		return nil, err
	}
	o := &opened{
		authentic: valid, response: response,
		mti: r.m.MTI(), stan: r.m.Digits(11), terminal: r.m.Text(41), ksn: r.private.MACKSN,
	}
	if entry := r.m.Digits(22); len(entry) == 3 {
		o.entry = entry[:2]
	}
	return o, nil
}

// takeIn moves card data, PIN block and cryptogram of an authentic message
// inside and says in out what there was.
func (h *HSM) takeIn(r *received, o *opened, out *api.Opened) error {
	if err := h.takeCard(r, o); err != nil {
		return err
	}
	if o.hasCard {
		card, err := h.describe(o.card, o.lookup)
		if err != nil {
			return err
		}
		out.HasCard, out.Card = true, card
	}
	if err := h.takePIN(r, o); err != nil {
		return err
	}
	out.HasPIN = o.pinBlock != nil
	o.chip = chip(r.m.Bytes(55))
	out.HasCryptogram = o.chip != nil
	return nil
}

// takeCard deciphers the card data. Malformed ones are no card: the MAC has
// shown that the terminal sent them so, and the host refuses the message.
func (h *HSM) takeCard(r *received, o *opened) error {
	data := r.private.CardData
	if r.private.DataKSN == nil || data.Ciphertext == nil {
		return nil
	}
	t, err := h.transaction(r, r.private.DataKSN)
	if err != nil {
		return err
	}
	plain, err := t.DecryptData(data.IV, data.Ciphertext)
	if errors.Is(err, core.ErrInput) {
		return nil
	}
	if err != nil {
		return err
	}
	defer plain.Wipe()
	card, err := cardblob.Parse(plain.Expose())
	if err != nil {
		return nil
	}
	o.card, o.hasCard, o.lookup = card, true, h.lookup(card.PAN)
	return nil
}

// takePIN keeps the enciphered PIN block and its key: format 4 in DE 63 tag 07
// under an AES set, formats 0 and 3 in DE 52 under a TDES set.
func (h *HSM) takePIN(r *received, o *opened) error {
	block := bytes.Clone(r.private.PINBlock.Expose())
	if len(r.private.PINKSN) == core.KSNLenTDES {
		block = r.m.Bytes(52)
	}
	if r.private.PINKSN == nil || block == nil {
		return nil
	}
	t, err := h.transaction(r, r.private.PINKSN)
	if err != nil {
		return err
	}
	o.pinKey, err = t.PINKey()
	if err != nil {
		return err
	}
	o.pinBlock = block
	return nil
}

// chip are the data objects of DE 55 when they hold a cryptogram, its ATC and
// the issuer application data; nil otherwise.
func chip(de55 []byte) cryptogram.Fields {
	if de55 == nil {
		return nil
	}
	f, err := cryptogram.FieldsFromDE55(de55)
	if err != nil || len(f[0x9F26]) != 8 || len(f[0x9F36]) != 2 || len(f[0x9F10]) == 0 {
		return nil
	}
	return f
}

// lookup is the keyed look-up value of a PAN.
func (h *HSM) lookup(pan secret.Secret) [32]byte {
	m := hmac.New(sha256.New, h.own.lookup.Expose())
	m.Write(pan.Expose())
	return [32]byte(m.Sum(nil))
}

// describe makes what leaves the boundary of a card, with a fresh token and
// sealed PAN.
func (h *HSM) describe(c cardblob.Card, lookup [32]byte) (api.Card, error) {
	token, err := newToken(h.rand)
	if err != nil {
		return api.Card{}, err
	}
	sealed, err := h.sealer.seal(token, c.PAN)
	if err != nil {
		return api.Card{}, err
	}
	pan := c.PAN.Expose()
	bin := 8
	if len(pan) < 16 {
		bin = 6
	}
	out := api.Card{
		Lookup: lookup, NewToken: token, NewSealed: sealed,
		BIN: string(pan[:bin]), LastFour: string(pan[len(pan)-4:]), Expiry: c.Expiry, PSN: c.PSN,
	}
	if t, ok := cardblob.ParseTrack2(c.Track2); ok {
		out.ServiceCode = t.ServiceCode
		wipeAll(t.PAN, t.Discretionary)
	}
	return out, nil
}
