package soft

import (
	"bytes"
	"context"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
)

// tagIssuerAuth is issuer authentication data (EMV Book 3, Annex A).
const tagIssuerAuth = 0x91

// answerChipLimits bound DE 55 of an answer: scripts hold objects one level down.
var answerChipLimits = ber.Limits{MaxDepth: 3, MaxObjects: 64, MaxBytes: 255}

// Seal finishes the answer to an opened message. After it the handle is gone; an
// answer that is refused leaves it, for another try.
func (s *Session) Seal(ctx context.Context, req api.SealRequest) (api.Sealed, error) {
	if err := s.ready(ctx); err != nil {
		return api.Sealed{}, err
	}
	o, err := s.use(req.Handle)
	if err != nil {
		return api.Sealed{}, outward("sealing an answer", err)
	}
	defer o.mu.Unlock()
	sealed, err := o.seal(req)
	if err != nil {
		return api.Sealed{}, outward("sealing an answer", err)
	}
	o.wipe()
	s.drop(req.Handle)
	return sealed, nil
}

func (o *opened) seal(req api.SealRequest) (api.Sealed, error) {
	m, err := iso8583.Unpack(req.Answer)
	if err != nil {
		return api.Sealed{}, api.ErrInput
	}
	if err := o.answers(m); err != nil {
		return api.Sealed{}, err
	}
	var out api.Sealed
	if req.ARC != "" {
		if o.answer.IsZero() {
			return api.Sealed{}, api.ErrPolicy
		}
		if out.IssuerAuthData, err = o.answer.Answer(req.ARC); err != nil {
			return api.Sealed{}, err
		}
		if err := addIssuerAuth(m, out.IssuerAuthData); err != nil {
			return api.Sealed{}, err
		}
	}
	out.Answer, err = iso8583.SealMAC(m, o.response.Sum)
	return out, err
}

// answers checks that m is an answer to the message: of its type, with its
// terminal, STAN and KSN. One whose MAC was wrong may only be refused.
func (o *opened) answers(m *iso8583.Message) error {
	want, ok := o.mti.Answer()
	if !ok || m.MTI() != want || m.Digits(11) != o.stan || m.Text(41) != o.terminal {
		return api.ErrInput
	}
	p, err := m.Private()
	if err != nil || !bytes.Equal(p.MACKSN, o.ksn) {
		return api.ErrInput
	}
	code, _ := iso8583.ResponseCodeOf(m.Text(39))
	if !o.authentic && code.Payment == iso8583.Approve {
		return api.ErrPolicy
	}
	return nil
}

// addIssuerAuth puts tag 91 in front of the chip data of an answer.
func addIssuerAuth(m *iso8583.Message, data []byte) error {
	rest := m.Bytes(55)
	nodes, err := ber.Parse(rest, answerChipLimits)
	if err != nil {
		return api.ErrInput
	}
	if _, twice := ber.Find(nodes, tagIssuerAuth); twice {
		return api.ErrInput
	}
	m.SetBytes(55, append(ber.Append(nil, tagIssuerAuth, data), rest...))
	if m.Err() != nil {
		return api.ErrInput // longer than DE 55
	}
	return nil
}
