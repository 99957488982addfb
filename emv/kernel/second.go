package kernel

import (
	"context"
	"errors"
	"fmt"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

// A Route is what became of the request that an ARQC asked for.
type Route int

// The routes.
const (
	// Answered: the host answered, and the answer is authentic.
	Answered Route = iota
	// Unsent: nothing was sent; the terminal decides by its default action codes
	// (Y3 or Z3). It may also stand for a lost answer where a policy accepts the
	// risk; the caller then reverses the request and advises the approval.
	Unsent
	// NoAnswer: the request was sent and no usable answer came. The card is told to
	// decline (Z3), and the request must be reversed.
	NoAnswer
)

// An Answer is what the host said.
type Answer struct {
	Route    Route
	Approved bool   // for Answered
	ARC      string // two characters for tag 8A: DE 39 as agreed with the issuer; else 00 or 05 is taken
	AuthCode string // DE 38, tag 89; may be empty
	// Objects is DE 55 of the answer: 91, 71, 72, and 8A where the issuer gives its
	// own. Malformed content is as good as none.
	Objects []byte
}

// maxIssuerObjects bounds DE 55 of an answer; ISO 8583 allows 999 bytes.
const maxIssuerObjects = 999

const stepOnline = "online processing"

// Second gives the answer to the card: issuer authentication, scripts, the second
// GENERATE AC, scripts (B3 10.9 to 10.11). It is called once, after a Request
// with an ARQC, and always gives an Outcome, also when the card is gone; the
// caller need only look at Result and Reversal.
func (s *Session) Second(ctx context.Context, a Answer) *Outcome {
	if s.at != asked {
		panic("kernel: Second is called once, after First has given an ARQC")
	}
	s.at = ended
	// From here on the last word is a TC of the second GENERATE AC, or none.
	s.lastAC = emv.AAC
	var o *Outcome
	if a.Route == Answered {
		o = s.complete(ctx, a)
	} else {
		o = s.unable(ctx, a.Route)
	}
	o.Reversal = a.Route == NoAnswer || a.Route == Answered && a.Approved && o.Result != Approved
	return o
}

// complete is the end of a transaction that the host has answered.
func (s *Session) complete(ctx context.Context, a Answer) *Outcome {
	issuer := s.issuerObjects(a)
	if err := s.authenticateIssuer(ctx); err != nil {
		return s.fault(err)
	}
	if err := s.runScripts(ctx, issuer, emv.TagScript1, emv.TVRScriptBefore); err != nil {
		return s.fault(err)
	}
	want := emv.AAC
	if a.Approved {
		want = emv.TC
	}
	if err := s.secondAC(ctx, want, true); err != nil {
		return s.fault(err)
	}
	decided := s.lastAC
	// The card has decided; one that is pulled now has still approved or declined.
	if err := s.runScripts(ctx, issuer, emv.TagScript2, emv.TVRScriptAfter); err != nil {
		s.ask.observe(stepScripts, "B3 10.10", "broken off", err.Error())
	}
	switch {
	case decided == emv.TC:
		return s.outcome(Approved, ByIssuer)
	case a.Approved && emv.TVRCDAFailed.In(s.tvr[:]):
		return s.outcome(Declined, ByTerminal)
	case a.Approved:
		return s.outcome(Declined, ByCard)
	}
	return s.outcome(Declined, ByIssuer)
}

// unable is the end of a transaction without an answer (B3 10.7, B4 Annex A6).
func (s *Session) unable(ctx context.Context, route Route) *Outcome {
	decision := Decision{emv.AAC, arcUnableDeclined, "the request was sent and not answered"}
	if route == Unsent {
		decision = Analyze(s.tvr, issuerCodes(&s.tags), s.app.TAC, s.cfg.Type.Connection(), true)
	}
	s.ask.observe("terminal action analysis", "B3 10.7", decision.Cryptogram.String(), decision.Why)
	s.terminal.Set(emv.TagARC, []byte(decision.ARC))
	if err := s.secondAC(ctx, decision.Cryptogram, false); err != nil {
		return s.fault(err)
	}
	switch {
	case s.lastAC == emv.TC:
		return s.outcome(Approved, ByCard)
	case decision.Cryptogram == emv.TC:
		s.terminal.Set(emv.TagARC, []byte(arcUnableDeclined))
		return s.outcome(Declined, ByCard)
	}
	return s.outcome(Declined, ByTerminal)
}

// secondAC asks for the last cryptogram. The card answers TC or AAC: it has no
// third way (B3 6.5.5.4, 10.11).
func (s *Session) secondAC(ctx context.Context, want emv.Cryptogram, answered bool) error {
	cdol2 := s.cdolData(emv.TagCDOL2)
	combined := s.asksCombined(want, answered)
	g, err := generate(ctx, s.card, stepSecondAC, want, combined, cdol2)
	if err != nil {
		return err
	}
	if g.CID.Cryptogram() == emv.ARQC {
		return cardError(stepSecondAC, "B3 10.11", "the card answers ARQC again")
	}
	if valid := s.take(g, combined, s.cdol1, cdol2); valid {
		s.lastAC = g.CID.Cryptogram()
	}
	s.advice = s.advice || g.CID.Advice()
	s.ask.observe(stepSecondAC, "B3 10.11", fmt.Sprintf("the card answers %v", g.CID), "asked for "+want.String())
	return nil
}

// fault is the end when the card is gone or broke the protocol after an ARQC.
func (s *Session) fault(err error) *Outcome {
	o := s.outcome(Declined, ByFault)
	o.Err = err
	if e, ok := errors.AsType[*Error](err); ok {
		s.ask.observe(e.Step, e.Clause, e.Reason.String(), e.Text)
	}
	return o
}

// issuerObjects reads DE 55 of the answer and sets 8A, 89 and 91.
func (s *Session) issuerObjects(a Answer) []ber.Node {
	nodes, err := ber.Parse(a.Objects, ber.Limits{MaxBytes: maxIssuerObjects})
	if err != nil {
		s.ask.observe(stepOnline, "B3 Annex B", "objects of the issuer passed over", err.Error())
		nodes = nil
	}
	arc := []byte(a.ARC)
	if len(arc) != 2 { // the meaning is what counts for the card
		arc = []byte("05")
		if a.Approved {
			arc = []byte("00")
		}
	}
	if own, ok := ber.Find(nodes, uint32(emv.TagARC)); ok && len(own.Value) == 2 {
		arc = own.Value
	}
	s.terminal.Set(emv.TagARC, arc)
	if a.AuthCode != "" {
		s.terminal.Set(emv.TagAuthCode, []byte(a.AuthCode))
	}
	if auth, ok := ber.Find(nodes, uint32(emv.TagIssuerAuth)); ok {
		s.terminal.Set(emv.TagIssuerAuth, auth.Value)
	}
	return nodes
}

const stepIssuerAuth = "issuer authentication"

// authenticateIssuer is issuer authentication (B3 10.9): EXTERNAL AUTHENTICATE,
// once, when the card supports it and the issuer has sent 91. For other cards 91
// is an object that CDOL2 may ask for.
func (s *Session) authenticateIssuer(ctx context.Context) error {
	data, ok := s.terminal.Get(emv.TagIssuerAuth)
	if !ok || !emv.AIPIssuerAuth.In(s.profile.AIP) {
		return nil
	}
	s.setTSI(emv.TSIIssuerAuth)
	if len(data) < 8 || len(data) > 16 {
		s.setTVR(emv.TVRIssuerAuthFailed)
		s.ask.observe(stepIssuerAuth, "B3 6.5.4", "failed", "Issuer Authentication Data must have 8 to 16 bytes")
		return nil
	}
	_, sw, err := send(ctx, s.card, stepIssuerAuth, command{cla: 0x00, ins: 0x82, data: data})
	if err != nil {
		return err
	}
	decision := "succeeded"
	if sw != emv.SWOK {
		s.setTVR(emv.TVRIssuerAuthFailed)
		decision = "failed"
	}
	s.ask.observe(stepIssuerAuth, "B3 10.9", decision, sw.String())
	return nil
}
