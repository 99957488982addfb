package core

import (
	"encoding/json"
	"fmt"
	"strings"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/agent/internal/receipt"
	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
)

// finalTags are what the host learns of the card's last cryptogram.
var finalTags = []emv.Tag{emv.TagCryptogram, emv.TagCID, emv.TagIAD, emv.TagATC, emv.TagTVR, emv.TagTSI}

// maxFinal bounds DE 63 tag 0A, maxScripts tag 09.
const (
	maxFinal   = 128
	maxScripts = 80
)

// writeOutcome makes the end durable, with what a reprint and the host need.
func (c *Core) writeOutcome(a payment.WriteOutcome) {
	s := c.sale
	paper, err := json.Marshal(c.receipt(a))
	if err != nil {
		panic("core: a receipt is plain data: " + err.Error())
	}
	o := journal.Outcome{
		End: journal.End(a.End), Reason: reason(a), Owes: uint8(a.Owes),
		RC: a.Answer.RC, RRN: a.Answer.RRN, Auth: a.Answer.Auth, Receipt: paper,
	}
	if s.last != nil {
		if len(s.last.ScriptResults) <= maxScripts {
			o.Scripts = s.last.ScriptResults
		}
		o.Final = pick(s.last.DE55, finalTags)
	}
	c.do(WriteOutcome{s.Attempt, o})
}

// pick takes tags out of data objects, in the order of tags.
func pick(objects []byte, tags []emv.Tag) []byte {
	nodes, err := ber.Parse(objects, ber.Limits{})
	if err != nil {
		return nil // the kernel made them: nothing to tell is the worst that follows
	}
	var out []byte
	for _, t := range tags {
		if n, ok := ber.Find(nodes, uint32(t)); ok && len(out)+len(n.Raw) <= maxFinal {
			out = append(out, n.Raw...)
		}
	}
	return out
}

// chipHex is the value of one object in hexadecimal, empty when it is not there.
func chipHex(objects []byte, tag emv.Tag) string {
	nodes, err := ber.Parse(objects, ber.Limits{})
	if err != nil {
		return ""
	}
	n, ok := ber.Find(nodes, uint32(tag))
	if !ok {
		return ""
	}
	return fmt.Sprintf("%X", n.Value)
}

// reason says why a payment is not approved: the meaning of the issuer's code
// where there is one.
func reason(a payment.WriteOutcome) string {
	if a.End == payment.Declined && a.Answer.RC != "" {
		if row, known := iso8583.ResponseCodeOf(a.Answer.RC); known {
			return row.Meaning
		}
	}
	return a.Why
}

// printedOutcome is how the end is printed.
var printedOutcome = map[payment.End]string{
	payment.Approved: "APPROVED", payment.Declined: "DECLINED", payment.Cancelled: "CANCELLED", payment.Reversing: "NOT COMPLETED",
}

func (c *Core) receipt(a payment.WriteOutcome) receipt.Receipt {
	s, cur := c.sale, c.cfg.Currency
	r := receipt.Receipt{
		Lab: c.cfg.Lab, MerchantName: c.cfg.MerchantName, Address: c.cfg.Address, MerchantID: c.cfg.Merchant, TerminalID: c.cfg.Terminal,
		At: s.At, Kind: strings.ToUpper(s.kind().String()), Amount: s.Amount, Cashback: s.Cashback,
		Currency: cur.Alphabetic, Exponent: cur.MinorUnits, STAN: fmt.Sprintf("%06d", s.STAN),
		RRN: a.Answer.RRN, AuthCode: a.Answer.Auth, ResponseCode: a.Answer.RC,
		Approved: a.End == payment.Approved, Outcome: printedOutcome[a.End], Reason: reason(a), Footer: c.cfg.Footer,
	}
	if a.End == payment.Approved {
		r.Reason = ""
	}
	if a.End == payment.Reversing {
		r.Reason += ". No amount will be charged."
	}
	if s.first != nil {
		s.chipReceipt(&r)
	}
	return r
}

// chipReceipt adds what the card said, with the final values where there are any.
func (s *sale) chipReceipt(r *receipt.Receipt) {
	card, objects := s.first.Card, s.first.DE55
	cryptogram := s.first.Cryptogram.String()
	r.TVR, r.TSI = fmt.Sprintf("%X", s.first.TVR), fmt.Sprintf("%X", s.first.TSI)
	cvm := s.first.CVM
	if s.last != nil {
		objects, cryptogram, cvm = s.last.DE55, s.last.Cryptogram.String(), s.last.CVM
		r.TVR, r.TSI, r.ARC = fmt.Sprintf("%X", s.last.TVR), fmt.Sprintf("%X", s.last.TSI), s.last.ARC
	}
	pan := card.PAN.Expose()
	r.EntryMode, r.LastFour = "CHIP", string(pan[max(0, len(pan)-4):])
	r.AID, r.Label = fmt.Sprintf("%X", card.AID), card.Label
	if card.PreferredName != "" && card.CodeTable == 1 {
		r.Label = card.PreferredName // ISO 8859-1: what the printer has
	}
	r.Cryptogram = cryptogram + " " + chipHex(objects, emv.TagCryptogram)
	r.ATC, r.IAD = chipHex(objects, emv.TagATC), chipHex(objects, emv.TagIAD)
	r.Verification = verification(cvm, r.Approved)
}

// verification is the cardholder's verification as it is printed. An online PIN
// is verified when the issuer has approved.
func verification(r emv.CVMResults, approved bool) receipt.Verification {
	switch r.Code.Method() {
	case emv.CVMOnlinePIN:
		if approved {
			return receipt.ByPIN
		}
	case emv.CVMPlaintextPIN, emv.CVMEncipheredPIN:
		if r.Outcome == emv.CVMSuccessful {
			return receipt.ByPIN
		}
	case emv.CVMSignature, emv.CVMPlaintextPINSignature, emv.CVMEncipheredPINSignature:
		return receipt.BySignature
	case emv.CVMNone:
		return receipt.ByNothing
	}
	return receipt.NotVerified
}
