package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// A Sale is what a test wants to pay.
type Sale struct {
	Card     *Card
	Minor    int64
	Currency uint16 // ISO 4217 numeric; 0: 978
	PIN      string // "": none; it may be wrong on purpose
	Entry    string // DE 22; "": 051, chip and PIN pad
	Spoil    bool   // a wrong cryptogram
}

// A Plan is a sale with everything that does not depend on keys: its identity,
// its amount and the card's cryptogram. Original and repeats are made from one
// plan, each under keys of its own.
type Plan struct {
	Payment iso8583.Payment
	card    *Card
	pin     string
}

// Attempt is the attempt id of the plan.
func (p Plan) Attempt() iso8583.AttemptID { return p.Payment.Private.AttemptID }

// Plan makes a plan with the next STAN, attempt id and card counter.
func (t *Terminal) Plan(s Sale) (Plan, error) {
	if s.Entry == "" {
		s.Entry = "051"
	}
	if s.Currency == 0 {
		s.Currency = 978
	}
	p := iso8583.Payment{Header: t.Header(), Type: iso8583.Purchase,
		Amount: iso8583.Amount{Minor: s.Minor, Currency: s.Currency}, Entry: s.Entry}
	p.Private = iso8583.Private{AttemptID: t.NextAttempt()}
	if strings.HasPrefix(s.Entry, "05") {
		chip, err := s.Card.Chip(p.Header, p.Amount, s.Spoil)
		if err != nil {
			return Plan{}, err
		}
		p.Chip = chip
	}
	return Plan{p, s.Card, s.PIN}, nil
}

// Request makes the 0200 of a plan under keys: card data and PIN block belong to
// one transmission.
func (t *Terminal) Request(p Plan, keys *dukpt.WorkingKeys) (*iso8583.Message, error) {
	m, err := t.request(p, keys)
	if err != nil {
		return nil, fmt.Errorf("terminal: making a request: %w", err)
	}
	return m, nil
}

func (t *Terminal) request(p Plan, keys *dukpt.WorkingKeys) (*iso8583.Message, error) {
	pay := p.Payment
	ksn := keys.KSN().Bytes()
	pay.Private.MACKSN, pay.Private.DataKSN = ksn, ksn
	blob, err := p.card.blob(keys.BlockSize(), pay.Entry)
	if err != nil {
		return nil, err
	}
	defer blob.Wipe()
	iv := make([]byte, keys.BlockSize())
	if _, err := io.ReadFull(t.cfg.Random, iv); err != nil {
		return nil, err
	}
	ciphertext, err := keys.EncryptData(dukpt.Request, iv, blob.Expose())
	if err != nil {
		return nil, err
	}
	pay.Private.CardData = iso8583.CardData{IV: iv, Ciphertext: ciphertext}
	if p.pin != "" {
		block, err := keys.EncryptPIN(keys.PINFormat(), []byte(p.pin), p.card.PAN.Expose(), t.cfg.Random)
		if err != nil {
			return nil, err
		}
		pay.Private.PINKSN = ksn
		if len(block) == 16 {
			pay.Private.PINBlock = secret.New(block)
		} else {
			pay.PINBlock = secret.New(block)
		}
	}
	return iso8583.NewPayment(pay)
}

// Reversal makes the 0420 of a request under keys.
func (t *Terminal) Reversal(request *iso8583.Message, stan uint32, at time.Time, keys *dukpt.WorkingKeys) (*iso8583.Message, error) {
	m, err := iso8583.NewReversal(request, iso8583.Reversal{STAN: stan, At: at,
		Private: iso8583.Private{Reason: iso8583.ReasonNoAnswer, MACKSN: keys.KSN().Bytes()}})
	if err != nil {
		return nil, fmt.Errorf("terminal: making a reversal: %w", err)
	}
	return m, nil
}

// Network makes a 0800 with a code of DE 70; keys are nil for an echo.
func (t *Terminal) Network(code string, p iso8583.Private, keys *dukpt.WorkingKeys) (*iso8583.Message, error) {
	if keys != nil {
		p.MACKSN = keys.KSN().Bytes()
	}
	if code == iso8583.SignOn && p.Software == "" {
		p.Software = "test terminal"
	}
	m, err := iso8583.NewNetwork(t.Header(), code, p)
	if err != nil {
		return nil, fmt.Errorf("terminal: making a network message: %w", err)
	}
	return m, nil
}

// Repeat is m with the repeat digit of its MTI set.
func Repeat(m *iso8583.Message) (*iso8583.Message, error) {
	packed, err := iso8583.Pack(m)
	if err != nil {
		return nil, fmt.Errorf("terminal: repeating a message: %w", err)
	}
	packed[1] |= 1
	return iso8583.Unpack(packed)
}

// Seal packs m with a MAC under keys.
func Seal(m *iso8583.Message, keys *dukpt.WorkingKeys) ([]byte, error) {
	b, err := iso8583.SealMAC(m, func(in []byte) ([iso8583.MACSize]byte, error) {
		sum, err := keys.MAC(dukpt.Request, in)
		if err != nil {
			return [iso8583.MACSize]byte{}, err
		}
		return [iso8583.MACSize]byte(sum), nil
	})
	if err != nil {
		return nil, fmt.Errorf("terminal: sealing a message: %w", err)
	}
	return b, nil
}
