package kernel

import (
	"context"
	"crypto/sha1" // the hash that the standard prescribes for tag 98 (B2 Annex B3.1)

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

const (
	stepFirstAC  = "first GENERATE AC"
	stepSecondAC = "second GENERATE AC"
)

// combinedBit of P1 asks for a combined signature (B3 6.5.5.2).
const combinedBit = 0x10

// A GeneratedAC is the answer to GENERATE AC.
type GeneratedAC struct {
	CID        emv.CID
	ATC        []byte // 2 bytes
	Cryptogram []byte // 8 bytes; nil when it is within a signature
	IAD        []byte // nil when there is none
	Signature  []byte // 9F4B, nil without a combined signature
	Unsigned   []byte // objects of the answer without 9F4B, as received
}

// generate sends GENERATE AC (B3 6.5.5) and reads its answer. data is what the
// CDOL asks for.
func generate(ctx context.Context, card Card, step string, asked emv.Cryptogram, combined bool, data []byte) (*GeneratedAC, error) {
	p1 := byte(asked)
	if combined {
		p1 |= combinedBit
	}
	answer, sw, err := send(ctx, card, step, command{cla: 0x80, ins: 0xAE, p1: p1, data: data, le: true})
	if err != nil {
		return nil, err
	}
	if sw != emv.SWOK {
		return nil, cardError(step, "B3 6.5.5.5", "the card answers %v", sw)
	}
	g, err := ParseGenerateAC(answer)
	if err != nil {
		return nil, err
	}
	if g.CID.Cryptogram() != emv.AAC {
		if combined && g.Signature == nil {
			return nil, cardError(step, "B2 6.6.1", "the combined signature is missing")
		}
		if !combined && g.Cryptogram == nil {
			return nil, cardError(step, "B3 6.5.5.4", "the cryptogram is missing")
		}
	}
	if g.CID.Cryptogram().Over(asked) {
		return nil, cardError(step, "B3 10.8", "asked for %v, the card answers with %v", asked, g.CID.Cryptogram())
	}
	return g, nil
}

// ParseGenerateAC reads both formats of an answer to GENERATE AC (B3 6.5.5.4):
// format 1 is CID, ATC, cryptogram and perhaps Issuer Application Data one after
// the other; a combined signature comes in format 2 alone. Anything else is an
// *Error of CardError. The result does not refer to answer.
func ParseGenerateAC(answer []byte) (*GeneratedAC, error) {
	const step = "GENERATE AC"
	nodes, err := ber.Parse(answer, ber.Limits{})
	if err != nil || len(nodes) != 1 {
		return nil, cardError(step, "B3 6.5.5.4", "the answer is malformed")
	}
	g := &GeneratedAC{}
	switch emv.Tag(nodes[0].Tag) {
	case emv.TagResponse1:
		v := nodes[0].Value
		if len(v) < 11 || len(v) > 43 {
			return nil, cardError(step, "B3 6.5.5.4", "an answer of %d bytes", len(v))
		}
		g.CID, g.ATC, g.Cryptogram = emv.CID(v[0]), v[1:3], v[3:11]
		if len(v) > 11 {
			g.IAD = v[11:]
		}
		return g, nil
	case emv.TagResponse2:
		return g, g.readObjects(step, nodes[0].Children)
	}
	return nil, cardError(step, "B3 6.5.5.4", "the answer has neither format")
}

// readObjects takes the objects of format 2.
func (g *GeneratedAC) readObjects(step string, nodes []ber.Node) error {
	cid, _ := ber.Find(nodes, uint32(emv.TagCID))
	atc, _ := ber.Find(nodes, uint32(emv.TagATC))
	ac, hasAC := ber.Find(nodes, uint32(emv.TagCryptogram))
	signature, hasSignature := ber.Find(nodes, uint32(emv.TagSignedDynamic))
	iad, _ := ber.Find(nodes, uint32(emv.TagIAD))
	if len(cid.Value) != 1 || len(atc.Value) != 2 || !hasAC && !hasSignature ||
		hasAC && len(ac.Value) != 8 || len(iad.Value) > 32 {
		return cardError(step, "B3 6.5.5.4", "objects of the answer are missing or malformed")
	}
	g.CID, g.ATC, g.Cryptogram, g.IAD, g.Signature = emv.CID(cid.Value[0]), atc.Value, ac.Value, iad.Value, signature.Value
	for _, n := range nodes {
		if n.Tag != uint32(emv.TagSignedDynamic) {
			g.Unsigned = append(g.Unsigned, n.Raw...)
		}
	}
	return nil
}

// cdolData builds what a CDOL asks for from the state of this moment; TVR, TSI
// and the TC hash are brought up to date first (B3 9, 10.8).
func (s *Session) cdolData(tag emv.Tag) []byte {
	list, _ := s.tags.Get(tag)
	dol, err := emv.ParseDOL(list)
	if err != nil {
		panic("kernel: a CDOL that was checked does not parse")
	}
	if dol.Has(emv.TagTCHash) {
		s.hashTC()
	}
	s.storeResults()
	return dol.Build(&s.terminal, &s.tags)
}

// hashTC makes the TC hash of a card that asks for it, over what its TDOL or the
// default one lists (B3 9.2.2, 10.8.2). Using the default is a bit of the TVR.
func (s *Session) hashTC() {
	if s.app.WithoutTDOL {
		return
	}
	list, ok := s.tags.Get(emv.TagTDOL)
	if !ok {
		if s.app.DefaultTDOL == nil {
			return
		}
		list = s.app.DefaultTDOL
		s.setTVR(emv.TVRDefaultTDOL)
	}
	s.storeResults()
	data, err := emv.BuildDOL(list, &s.terminal, &s.tags)
	if err != nil {
		s.ask.observe(stepFirstAC, "B3 5.4", "no TC hash", "the TDOL is malformed")
		return
	}
	sum := sha1.Sum(data)
	s.terminal.Set(emv.TagTCHash, sum[:])
}

// take stores what an answer holds and, where one was asked for, checks the
// combined signature. It returns false when that signature is wrong. A card that
// declines does not sign (B2 6.6.1).
func (s *Session) take(g *GeneratedAC, combined bool, cdol1, cdol2 []byte) bool {
	ok := true
	if combined && g.CID.Cryptogram() != emv.AAC {
		ok = s.verifyCombined(g, cdol1, cdol2)
	}
	s.tags.Set(emv.TagCID, []byte{byte(g.CID)})
	s.tags.Set(emv.TagATC, g.ATC)
	s.tags.Delete(emv.TagIAD)
	if g.IAD != nil {
		s.tags.Set(emv.TagIAD, g.IAD)
	}
	s.tags.Delete(emv.TagCryptogram)
	if g.Cryptogram != nil {
		s.tags.Set(emv.TagCryptogram, g.Cryptogram)
	}
	return ok
}
