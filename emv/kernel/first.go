package kernel

import (
	"context"
	"fmt"

	"tallystick.example/emv"
)

// First runs the transaction up to the first GENERATE AC (B3 10.1 to 10.8) and
// says what the card decided. It is called once. The error is an *Error, or says
// that t is wrong.
func (s *Session) First(ctx context.Context, t Transaction) (*Request, error) {
	if s.at != selected {
		panic("kernel: First is called once, after Select")
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	s.tx = t
	r, err := s.first(ctx)
	if err != nil {
		s.at = ended
		return nil, err
	}
	if r.Outcome != nil {
		s.at = ended
	} else {
		s.at = asked
	}
	return r, nil
}

func (s *Session) first(ctx context.Context) (*Request, error) {
	if err := s.readCard(ctx); err != nil {
		return nil, fallback(err)
	}
	if err := s.authenticate(ctx); err != nil {
		return nil, fallback(err)
	}
	s.restrict()
	if err := s.verify(ctx); err != nil {
		return nil, fallback(err)
	}
	if err := s.manageRisk(ctx); err != nil {
		return nil, fallback(err)
	}
	decision := Analyze(s.tvr, issuerCodes(&s.tags), s.app.TAC, s.cfg.Type.Connection(), false)
	s.ask.observe("terminal action analysis", "B3 10.7", decision.Cryptogram.String(), decision.Why)
	return s.firstAC(ctx, decision)
}

// readCard gets the processing options, going on to the next application while
// the card refuses one (B3 10.1), reads the records and pauses for the caller.
func (s *Session) readCard(ctx context.Context) error {
	var un [4]byte
	if err := readRandom(s.tx.Random, un[:]); err != nil {
		return err
	}
	for { // ends: every round takes one candidate out
		s.tvr, s.tsi, s.cvm = [5]byte{}, [2]byte{}, notPerformed
		s.fillTerminal(un)
		profile, err := Initiate(ctx, s.card, s.fci.PDOL(), &s.terminal)
		if err == nil {
			s.profile = profile
			break
		}
		if !isUnusable(err) {
			return err
		}
		s.ask.observe(stepInitiate, "B3 10.1", "application taken out", err.Error())
		if err := s.selectNext(ctx); err != nil {
			return err
		}
	}
	records, err := ReadRecords(ctx, s.card, s.profile.AFL)
	if err != nil {
		return err
	}
	s.tags, s.static = records.Tags, records.StaticData(s.profile.AIP)
	s.tags.Set(emv.TagAIP, s.profile.AIP)
	s.tags.Set(emv.TagAFL, s.profile.AFL)
	s.tags.Set(emv.TagDFName, s.fci.Name)
	s.info = s.cardInfo()
	s.ask.observe(stepRecords, "B3 10.2", "card read", "")
	return s.pause(ctx, un)
}

// pause lets the caller look at the card and still change the transaction.
func (s *Session) pause(ctx context.Context, un [4]byte) error {
	if s.ask.CardRead != nil {
		if err := s.ask.CardRead(ctx, s.info, &s.tx); err != nil {
			return stopped("card read", err)
		}
		if err := s.tx.check(); err != nil {
			return stopped("card read", err)
		}
		s.fillTerminal(un)
	}
	if s.tx.ForceOnline {
		s.setTVR(emv.TVRForcedOnline)
	}
	if s.ask.Blocked != nil && s.ask.Blocked(s.info) {
		s.setTVR(emv.TVRExceptionFile)
	}
	return nil
}

// restrict is processing restrictions (B3 10.4).
func (s *Session) restrict() {
	bits := Restrictions(s.tx.Kind, &s.terminal, &s.tags)
	s.setTVR(bits...)
	for _, b := range bits {
		s.ask.observe("processing restrictions", "B3 10.4", b.Name(emv.TagTVR), "TVR "+b.String())
	}
}

// verify is cardholder verification (B3 10.5), when the card supports it.
func (s *Session) verify(ctx context.Context) error {
	s.cvm = notPerformed
	if !emv.AIPCVM.In(s.profile.AIP) {
		s.ask.observe(stepVerify, "B3 10.5", "not performed", "the card does not support it")
		return nil
	}
	list, _ := s.tags.Get(emv.TagCVMList)
	currency, _ := s.tags.Number(emv.TagAppCurrency)
	v, err := Verification{
		List: list, Kind: s.tx.Kind, Amount: s.tx.Amount, Currency: s.tx.Currency, AppCurrency: int(currency),
		Capabilities: s.capabilities, BypassAll: s.cfg.BypassAllPINs, Card: s.card, Info: s.info, Ask: s.ask,
		PINKey: s.pinKey, Random: s.tx.Random,
	}.Run(ctx)
	if err != nil {
		return err
	}
	s.cvm, s.signature = v.Results, v.Signature
	s.setTVR(v.TVR...)
	if v.Performed {
		s.setTSI(emv.TSICVM)
	}
	return nil
}

// manageRisk is terminal risk management (B3 10.6). It is performed also when
// the AIP does not ask for it: it protects the merchant, and no card is against it.
func (s *Session) manageRisk(ctx context.Context) error {
	r := Risk{Card: s.card, Tags: &s.tags, Amount: s.tx.Amount, Floor: s.app.FloorLimit}
	if s.ask.LastAmount != nil {
		r.Last = max(0, s.ask.LastAmount(s.info))
	}
	if s.cfg.Type.Connection() == emv.OfflineWithOnline {
		r.Random, r.Threshold = s.tx.Random, s.app.RandomThreshold
		r.Target, r.Max = s.app.RandomTarget, s.app.RandomMax
	}
	bits, err := r.Run(ctx)
	if err != nil {
		return err
	}
	s.setTVR(bits...)
	s.setTSI(emv.TSITerminalRisk)
	for _, b := range bits {
		s.ask.observe(stepRisk, "B3 10.6", b.Name(emv.TagTVR), "TVR "+b.String())
	}
	return nil
}

// firstAC asks the card for decision (B3 10.8).
func (s *Session) firstAC(ctx context.Context, decision Decision) (*Request, error) {
	if decision.ARC != "" {
		s.terminal.Set(emv.TagARC, []byte(decision.ARC))
	}
	s.cdol1 = s.cdolData(emv.TagCDOL1)
	combined := s.asksCombined(decision.Cryptogram, false)
	g, err := generate(ctx, s.card, stepFirstAC, decision.Cryptogram, combined, s.cdol1)
	if err != nil {
		return nil, err
	}
	s.setTSI(emv.TSICardRisk)
	valid := s.take(g, combined, s.cdol1, nil)
	s.lastAC, s.advice = g.CID.Cryptogram(), g.CID.Advice()
	s.ask.observe(stepFirstAC, "B3 10.8", fmt.Sprintf("the card answers %v", g.CID), "asked for "+decision.Cryptogram.String())
	if !valid {
		return s.combinedFailed(ctx)
	}
	r := s.request(s.lastAC)
	switch s.lastAC {
	case emv.ARQC: // Second sets tag 8A
	case emv.TC:
		r.Outcome = s.outcome(Approved, ByCard)
	default:
		s.terminal.Set(emv.TagARC, []byte(arcOfflineDeclined))
		by := ByCard
		if decision.Cryptogram == emv.AAC {
			by = ByTerminal
		}
		r.Outcome = s.outcome(Declined, by)
	}
	return r, nil
}

// combinedFailed declines after a wrong combined signature: a TC does not count,
// an ARQC is followed by a second GENERATE AC for an AAC at once (B4 6.3.2.1).
func (s *Session) combinedFailed(ctx context.Context) (*Request, error) {
	s.terminal.Set(emv.TagARC, []byte(arcOfflineDeclined))
	if s.lastAC == emv.ARQC {
		g, err := generate(ctx, s.card, stepSecondAC, emv.AAC, false, s.cdolData(emv.TagCDOL2))
		if err != nil {
			return nil, err
		}
		s.take(g, false, s.cdol1, nil)
	}
	s.lastAC = emv.AAC
	r := s.request(emv.AAC)
	r.Outcome = s.outcome(Declined, ByTerminal)
	return r, nil
}
