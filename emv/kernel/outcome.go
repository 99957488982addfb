package kernel

import (
	"bytes"

	"tallystick.example/emv"
)

// A Request is what the first GENERATE AC led to.
type Request struct {
	// Cryptogram is what the card answered with. ARQC means: ask the host with
	// DE55, then call Session.Second.
	Cryptogram emv.Cryptogram
	// Outcome is the end of the transaction when the card decided by itself, else nil.
	Outcome *Outcome
	// DE55 are the objects for the host as BER-TLV, with the values of this moment.
	DE55 []byte
	// Card is what was read; its Secrets live until Session.Close.
	Card *CardInfo
	// CVM is how the cardholder was verified; Signature tells to take one.
	CVM       emv.CVMResults
	Signature bool
	TVR       [5]byte
	TSI       [2]byte
}

// A Result is how a transaction ended.
type Result int

// The results.
const (
	Declined Result = iota
	Approved
)

// String is "approved" or "declined".
func (r Result) String() string {
	if r == Approved {
		return "approved"
	}
	return "declined"
}

// A Party is who decided.
type Party string

// The parties.
const (
	ByTerminal Party = "terminal" // terminal action analysis
	ByCard     Party = "card"
	ByIssuer   Party = "issuer"
	ByFault    Party = "fault" // the card is gone or broke the protocol
)

// An Outcome is the end of a transaction. Approved means that the last cryptogram
// of the card is a TC and that the terminal asked for one.
type Outcome struct {
	Result     Result
	By         Party
	Cryptogram emv.Cryptogram // the last one: TC or AAC; AAC also where there was none
	ARC        string         // tag 8A: Y1, Z1, Y3, Z3 or that of the issuer
	CVM        emv.CVMResults
	Signature  bool
	TVR        [5]byte
	TSI        [2]byte
	// ScriptResults is tag 9F5B, five bytes a script; empty without scripts.
	ScriptResults []byte
	// Reversal tells that the host may hold an approval that is not to stand.
	Reversal bool
	// Advice tells that the card asks for an advice message (9F27 bit 4).
	Advice bool
	// DE55 are the objects for an advice, with the final values.
	DE55 []byte
	// Err is why By is ByFault, for the log.
	Err error
}

// requestTags is the content of DE 55. PAN, tracks and names are never among it.
var requestTags = []emv.Tag{
	emv.TagCryptogram, emv.TagCID, emv.TagIAD, emv.TagUnpredictable, emv.TagATC, emv.TagTVR,
	emv.TagDate, emv.TagType, emv.TagAmount, emv.TagAmountOther, emv.TagCurrency, emv.TagAIP,
	emv.TagTerminalCountry, emv.TagCapabilities, emv.TagCVMResults, emv.TagTerminalType,
	emv.TagDFName, emv.TagVersionTerminal, emv.TagSequence, emv.TagIFDSerial, emv.TagPANSequence,
	emv.TagTransactionCategory, emv.TagTSI,
}

// adviceTags come with the final values of an offline decision or a completion.
var adviceTags = append(append([]emv.Tag{}, requestTags...), emv.TagARC, emv.TagScriptResults)

// request is the Request of this moment.
func (s *Session) request(c emv.Cryptogram) *Request {
	s.storeResults()
	return &Request{
		Cryptogram: c, Card: s.info, CVM: s.cvm, Signature: s.signature, TVR: s.tvr, TSI: s.tsi,
		DE55: s.objects(requestTags),
	}
}

// outcome is the Outcome of this moment.
func (s *Session) outcome(result Result, by Party) *Outcome {
	s.storeResults()
	arc, _ := s.terminal.Get(emv.TagARC)
	o := &Outcome{
		Result: result, By: by, Cryptogram: s.lastAC, ARC: string(arc), CVM: s.cvm, Signature: s.signature,
		TVR: s.tvr, TSI: s.tsi, ScriptResults: bytes.Clone(s.scripts), Advice: s.advice, DE55: s.objects(adviceTags),
	}
	if result == Approved && s.lastAC != emv.TC {
		panic("kernel: approved without a TC")
	}
	s.ask.observe("completion", "B3 10.11", result.String(), "by "+string(by))
	return o
}

// objects puts tags together, the terminal's values before the card's.
func (s *Session) objects(tags []emv.Tag) []byte {
	var out []byte
	for _, t := range tags {
		if s.terminal.Has(t) {
			out = s.terminal.AppendTLV(out, t)
		} else {
			out = s.tags.AppendTLV(out, t)
		}
	}
	return out
}
