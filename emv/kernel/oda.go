package kernel

import (
	"context"
	"errors"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/internal/pure/ber"
)

const stepAuthenticate = "offline data authentication"

// A method of offline data authentication (B3 10.3).
type method struct {
	name       string
	supported  emv.Bit // by the card, in the AIP
	capable    emv.Bit // by the terminal, in 9F33
	failed     emv.Bit // in the TVR
	needed     []emv.Tag
	perform    func(*Session, context.Context) error
	proof      string // what success means
	signsLater bool   // the card signs in GENERATE AC: until then nothing was performed
}

var (
	issuerTags = []emv.Tag{emv.TagCAIndex, emv.TagIssuerCertificate, emv.TagIssuerExponent}
	iccTags    = append(append([]emv.Tag{}, issuerTags...), emv.TagICCCertificate, emv.TagICCExponent)
)

// methods in the order of choice. XDA stands before them in EMV 4.4; a terminal
// of this kernel does not declare it, so its cards fall to these.
var methods = []method{
	{"CDA", emv.AIPCDA, emv.CapCDA, emv.TVRCDAFailed, iccTags, func(s *Session, _ context.Context) error { return s.recoverICC() }, "", true},
	{"DDA", emv.AIPDDA, emv.CapDDA, emv.TVRDDAFailed, iccTags, (*Session).authenticateDynamic,
		"the card signed the terminal's unpredictable number", false},
	{"SDA", emv.AIPSDA, emv.CapSDA, emv.TVRSDAFailed, append(append([]emv.Tag{}, issuerTags...), emv.TagSignedStatic),
		func(s *Session, _ context.Context) error { return s.authenticateStatic() },
		"the records are as the issuer signed them", false},
}

// chooseMethod is the first that card and terminal have in common (B3 10.3).
func chooseMethod(aip []byte, capabilities [3]byte) (method, bool) {
	for _, m := range methods {
		if m.supported.In(aip) && m.capable.In(capabilities[:]) {
			return m, true
		}
	}
	return method{}, false
}

// authenticate is offline data authentication (B3 10.3). A method that fails is a
// result: the TVR says so, and the action codes decide. An error ends the
// transaction: the card is gone or broke the protocol.
func (s *Session) authenticate(ctx context.Context) error {
	m, ok := chooseMethod(s.profile.AIP, s.capabilities)
	if !ok {
		s.setTVR(emv.TVRODANotPerformed)
		s.ask.observe(stepAuthenticate, "B3 10.3", "not performed", "card and terminal have no method in common")
		return nil
	}
	if m.failed == emv.TVRSDAFailed {
		s.setTVR(emv.TVRSDASelected)
	}
	err := s.require(m.needed)
	if err == nil {
		err = m.perform(s, ctx)
	}
	failure, failed := errors.AsType[*oda.Error](err)
	switch {
	case failed:
		s.setTVR(m.failed)
		s.setTSI(emv.TSIODA)
		if failure.Missing {
			s.setTVR(emv.TVRICCDataMissing) // B3 7.5
		}
		s.ask.observe(stepAuthenticate, failure.Clause, m.name+" failed", string(failure.Step)+": "+failure.Check)
	case err != nil:
		return err
	case m.signsLater:
		s.combined = true
		s.ask.observe(stepAuthenticate, "B2 6.4", m.name+" possible", "the card's key was recovered; it signs in GENERATE AC")
	default:
		s.setTSI(emv.TSIODA)
		s.ask.observe(stepAuthenticate, "B3 10.3", m.name+" succeeded", m.proof)
	}
	return nil
}

// require fails when an object that the method needs is missing (B3 7.2).
func (s *Session) require(tags []emv.Tag) error {
	for _, t := range tags {
		if v, ok := s.tags.Get(t); !ok || len(v) == 0 || t == emv.TagCAIndex && len(v) != 1 {
			return &oda.Error{Step: oda.StepIssuer, Clause: "B3 7.2", Check: "object " + t.String() + " is missing", Missing: true}
		}
	}
	return nil
}

// value is an object of the card, nil where there is none.
func (s *Session) value(t emv.Tag) []byte {
	v, _ := s.tags.Get(t)
	return v
}

// recoverIssuer recovers the issuer's key, once (B2 5.3, 6.3).
func (s *Session) recoverIssuer() error {
	if s.issuerKey != nil {
		return nil
	}
	if err := s.require(issuerTags); err != nil {
		return err
	}
	index := s.value(emv.TagCAIndex)
	key, err := s.cfg.CAKeys.Issuer(oda.IssuerInput{
		AID: s.fci.Name, Index: index[0], Certificate: s.value(emv.TagIssuerCertificate),
		Remainder: s.value(emv.TagIssuerRemainder), Exponent: s.value(emv.TagIssuerExponent), PAN: s.info.PAN, Date: s.tx.Date,
	})
	if err != nil {
		return err
	}
	s.issuerKey = key
	s.terminal.Set(emv.TagCAIndexTerminal, index)
	return nil
}

// recoverICC recovers the card's key for signatures, once (B2 6.4): all that CDA
// needs before GENERATE AC.
func (s *Session) recoverICC() error {
	if s.iccKey != nil {
		return nil
	}
	if err := s.signedStatic(oda.StepICC); err != nil {
		return err
	}
	if err := s.recoverIssuer(); err != nil {
		return err
	}
	key, err := s.issuerKey.ICC(oda.ICCInput{
		Certificate: s.value(emv.TagICCCertificate), Remainder: s.value(emv.TagICCRemainder),
		Exponent: s.value(emv.TagICCExponent), Static: s.static, PAN: s.info.PAN, Date: s.tx.Date,
	})
	if err != nil {
		return err
	}
	s.iccKey = key
	return nil
}

// signedStatic fails when the static data could not be built (B3 10.3).
func (s *Session) signedStatic(step oda.Step) error {
	if s.static == nil {
		return &oda.Error{Step: step, Clause: "B3 10.3", Check: "a signed record is no template 70, or tag 9F4A names more than the AIP"}
	}
	return nil
}

// authenticateStatic is SDA (B2 5.4).
func (s *Session) authenticateStatic() error {
	if err := s.signedStatic(oda.StepStatic); err != nil {
		return err
	}
	if err := s.recoverIssuer(); err != nil {
		return err
	}
	code, err := s.issuerKey.VerifyStatic(s.value(emv.TagSignedStatic), s.static)
	if err != nil {
		return err
	}
	s.tags.Set(emv.TagDataAuthCode, code)
	return nil
}

// authenticateDynamic is DDA (B2 6.5): the card signs the terminal's unpredictable number and
// what else the DDOL asks for.
func (s *Session) authenticateDynamic(ctx context.Context) error {
	if err := s.recoverICC(); err != nil {
		return err
	}
	data, err := s.ddolData()
	if err != nil {
		return err
	}
	answer, sw, err := send(ctx, s.card, stepAuthenticate, command{cla: 0x00, ins: 0x88, data: data, le: true})
	if err != nil {
		return err
	}
	if sw != emv.SWOK {
		return cardError(stepAuthenticate, "B3 6.5.9.5", "the card answers %v to INTERNAL AUTHENTICATE", sw)
	}
	signature, err := ParseInternalAuthenticate(answer)
	if err != nil {
		return err
	}
	number, err := s.iccKey.VerifyDynamic(signature, data)
	if err != nil {
		return err
	}
	s.tags.Set(emv.TagICCDynamic, number)
	return nil
}

// ddolData is what the card's DDOL asks for, or the terminal's default one (B2
// 6.5.1). A list without the unpredictable number would be signed once for all.
func (s *Session) ddolData() ([]byte, error) {
	list, ok := s.tags.Get(emv.TagDDOL)
	if !ok {
		list = s.app.DefaultDDOL
	}
	dol, err := emv.ParseDOL(list)
	if err != nil || !dol.Has(emv.TagUnpredictable) || dol.Len() > maxCommandData {
		return nil, &oda.Error{Step: oda.StepDynamic, Clause: "B2 6.5.1", Check: "there is no DDOL with the unpredictable number"}
	}
	s.storeResults()
	return dol.Build(&s.terminal, &s.tags), nil
}

// ParseInternalAuthenticate takes the signature from both formats of an answer to
// INTERNAL AUTHENTICATE (B3 6.5.9.4). Anything else is an *Error of CardError.
func ParseInternalAuthenticate(answer []byte) (signature []byte, err error) {
	nodes, parseErr := ber.Parse(answer, ber.Limits{})
	if parseErr != nil || len(nodes) != 1 {
		return nil, cardError(stepAuthenticate, "B3 6.5.9.4", "the answer is malformed")
	}
	switch emv.Tag(nodes[0].Tag) {
	case emv.TagResponse1:
		return nodes[0].Value, nil
	case emv.TagResponse2:
		if n, ok := ber.Find(nodes[0].Children, uint32(emv.TagSignedDynamic)); ok {
			return n.Value, nil
		}
	}
	return nil, cardError(stepAuthenticate, "B3 6.5.9.4", "the answer holds no signature")
}

// pinKey is the key that an offline PIN is enciphered under (B2 7.1): the card's
// PIN encipherment key when it has one, else its key for signatures. ok is false
// when there is none that can be trusted.
func (s *Session) pinKey() (key oda.PublicKey, ok bool) {
	key, err := s.recoverPINKey()
	if err != nil {
		s.ask.observe(stepVerify, "B2 7.1", "no key for the PIN", err.Error())
	}
	return key, err == nil
}

func (s *Session) recoverPINKey() (oda.PublicKey, error) {
	own := s.value(emv.TagPINCertificate)
	if own == nil || !s.tags.Has(emv.TagPINExponent) {
		if err := s.require(iccTags); err != nil {
			return oda.PublicKey{}, err
		}
		if err := s.recoverICC(); err != nil {
			return oda.PublicKey{}, err
		}
		return s.iccKey.PublicKey, nil
	}
	if err := s.recoverIssuer(); err != nil {
		return oda.PublicKey{}, err
	}
	pin, err := s.issuerKey.PINKey(oda.ICCInput{Certificate: own, Remainder: s.value(emv.TagPINRemainder),
		Exponent: s.value(emv.TagPINExponent), PAN: s.info.PAN, Date: s.tx.Date})
	if err != nil {
		return oda.PublicKey{}, err
	}
	pin.Wipe()
	return pin.PublicKey, nil
}
