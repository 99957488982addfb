package kernel

import (
	"context"
	"errors"
	"slices"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
)

// phase is how far a Session has come; the calls come in this order only.
type phase int

const (
	selected phase = iota
	asked          // an ARQC is with the caller
	ended
)

// A Session is one transaction with one card, made by [Select].
type Session struct {
	card Card
	cfg  *Config
	ask  Callbacks
	at   phase

	candidates   []Candidate // not tried yet
	fci          *FCI
	app          Application
	capabilities [3]byte
	profile      *Profile
	static       []byte   // signed static data, nil when it cannot be built
	tags         emv.Data // objects of the card
	terminal     emv.Data // objects of the terminal and the issuer
	info         *CardInfo
	tx           Transaction

	tvr       [5]byte
	tsi       [2]byte
	cvm       emv.CVMResults
	signature bool
	combined  bool // the card can be asked for a combined signature
	issuerKey *oda.IssuerKey
	iccKey    *oda.ICCKey
	cdol1     []byte
	lastAC    emv.Cryptogram
	advice    bool
	scripts   []byte // results, 9F5B
}

// Select finds and selects the application (B1 12): the candidate list, the
// cardholder's choice, the final selection. cfg must have passed Config.Check;
// it and ask are kept. The error is an *Error, except where cfg is wrong.
func Select(ctx context.Context, card Card, cfg *Config, ask Callbacks) (*Session, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	list, err := BuildCandidates(ctx, card, cfg.Applications, cfg.WithoutPSE)
	if err != nil {
		ask.observe(stepCandidates, "B1 12.3", "none", err.Error())
		return nil, fallback(err)
	}
	s := &Session{card: card, cfg: cfg, ask: ask, candidates: list, lastAC: emv.AAC}
	for _, c := range list {
		ask.observe(stepCandidates, "B1 12.3", "found", c.Label)
	}
	if err := s.selectNext(ctx); err != nil {
		s.Close()
		return nil, fallback(err)
	}
	return s, nil
}

// fallback allows the magnetic stripe after a technical failure that came before
// the card made a cryptogram (B4 6.7).
func fallback(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && (e.Reason == CardError || e.Reason == CardLost) {
		c := *e
		c.Fallback = true
		return &c
	}
	return err
}

// selectNext has one of the remaining candidates chosen and selected, until one
// works (B1 12.4).
func (s *Session) selectNext(ctx context.Context) error {
	for len(s.candidates) > 0 {
		i, err := s.choose(ctx)
		if err != nil {
			return err
		}
		chosen := s.candidates[i]
		s.candidates = slices.Delete(slices.Clone(s.candidates), i, i+1)
		fci, err := SelectApplication(ctx, s.card, chosen)
		if isUnusable(err) {
			s.ask.observe(stepSelect, "B1 12.4", "taken out", err.Error())
			continue
		}
		if err != nil {
			return err
		}
		s.fci = fci
		app, ok := match(s.cfg.Applications, chosen.AID)
		if !ok {
			panic("kernel: a candidate that no application matches")
		}
		s.app, s.capabilities = app, capabilities(s.cfg, app, s.ask)
		s.ask.observe(stepSelect, "B1 12.4", "selected", chosen.Label)
		return nil
	}
	return &Error{Reason: NoApplication, Step: stepSelect, Clause: "B1 12.4", Text: "no application is left", Fallback: true}
}

// choose returns the index of the candidate to select.
func (s *Session) choose(ctx context.Context) (int, error) {
	switch {
	case !ChoiceRequired(s.candidates):
		return 0, nil
	case s.ask.Choose != nil:
		i, err := s.ask.Choose(ctx, slices.Clone(s.candidates))
		if err != nil {
			return 0, stopped(stepSelect, err)
		}
		if i < 0 || i >= len(s.candidates) {
			return 0, stopped(stepSelect, errors.New("the choice is not in the list"))
		}
		return i, nil
	}
	for i, c := range s.candidates {
		if !c.Confirmation {
			return i, nil
		}
	}
	return 0, &Error{Reason: NoApplication, Step: stepSelect, Clause: "B1 12.4",
		Text: "every application asks for a confirmation that this terminal cannot take"}
}

func isUnusable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason == ApplicationUnusable
}

// Close wipes what was read from the card, the Secrets of CardInfo included. It
// may be called at any time and again.
func (s *Session) Close() {
	s.at = ended
	s.tags.Wipe()
	s.terminal.Wipe()
	if s.info != nil {
		s.info.wipe()
	}
	if s.iccKey != nil {
		s.iccKey.Wipe()
	}
	clear(s.static)
	clear(s.cdol1)
}

func (s *Session) setTVR(bits ...emv.Bit) {
	for _, b := range bits {
		b.Set(s.tvr[:])
	}
}

func (s *Session) setTSI(bits ...emv.Bit) {
	for _, b := range bits {
		b.Set(s.tsi[:])
	}
}

// storeResults brings tags 95, 9B and 9F34 up to date.
func (s *Session) storeResults() {
	s.terminal.Set(emv.TagTVR, s.tvr[:])
	s.terminal.Set(emv.TagTSI, s.tsi[:])
	s.terminal.Set(emv.TagCVMResults, s.cvm.Bytes())
}
