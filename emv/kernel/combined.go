package kernel

import (
	"bytes"
	"errors"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
)

// asksCombined reports whether GENERATE AC asks for a combined signature. A TC is
// always signed, unless the issuer has just approved online: for that and for an
// ARQC the mode of the terminal says (B2 Annex D4). An AAC never is.
func (s *Session) asksCombined(asked emv.Cryptogram, approvedOnline bool) bool {
	mode := max(1, s.cfg.CDAMode)
	switch {
	case !s.combined || asked == emv.AAC:
		return false
	case asked == emv.ARQC:
		return mode <= 2
	case approvedOnline:
		return mode == 1 || mode == 4
	}
	return true
}

// verifyCombined checks the signature of an answer that had to have one and takes
// the cryptogram out of it (B2 6.6.2). When it is wrong, the CID that was signed,
// as far as there is one, counts for what follows (B4 6.3.2.1).
func (s *Session) verifyCombined(g *GeneratedAC, cdol1, cdol2 []byte) bool {
	s.setTSI(emv.TSIODA)
	un, _ := s.terminal.Get(emv.TagUnpredictable)
	proof, err := s.iccKey.VerifyCombined(oda.Combined{
		Signature: g.Signature, Unpredictable: un, CID: g.CID,
		Data: [][]byte{s.profile.pdolData, cdol1, cdol2}, Response: g.Unsigned,
	})
	if err == nil {
		g.Cryptogram = bytes.Clone(proof.Cryptogram)
		s.tags.Set(emv.TagICCDynamic, proof.Number)
		s.ask.observe(stepAuthenticate, "B2 6.6.2", "CDA succeeded", "the card signed the cryptogram and the data of this transaction")
		return true
	}
	g.Cryptogram = nil
	if proof != nil {
		g.CID = proof.CID
	}
	s.setTVR(emv.TVRCDAFailed)
	if e, ok := errors.AsType[*oda.Error](err); ok {
		s.ask.observe(stepAuthenticate, e.Clause, "CDA failed", string(e.Step)+": "+e.Check)
	}
	return false
}
