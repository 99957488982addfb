package kernel

import (
	"bytes"

	"tallystick.example/emv"
)

// Restrictions compares versions, usage and dates (B3 10.4) and returns the bits
// of the TVR that are to be set. terminal gives 9F09, 9F1A, 9F35, 9F40 and 9A;
// card gives 9F08, 9F07, 5F28, 5F24 and 5F25, of which only 5F24 must be there.
func Restrictions(kind Kind, terminal, card emv.Getter) []emv.Bit {
	var set []emv.Bit
	if v, ok := card.Get(emv.TagVersionCard); ok {
		own, _ := terminal.Get(emv.TagVersionTerminal)
		if !bytes.Equal(v, own) {
			set = append(set, emv.TVRVersionsDiffer)
		}
	}
	if !allowed(kind, terminal, card) {
		set = append(set, emv.TVRServiceNotAllowed)
	}
	today, _ := day(terminal, emv.TagDate)
	if d, ok := day(card, emv.TagEffective); ok && today.Before(d) {
		set = append(set, emv.TVRNotYetEffective)
	}
	if d, ok := day(card, emv.TagExpiry); ok && d.Before(today) {
		set = append(set, emv.TVRExpired)
	}
	return set
}

// allowed is the Application Usage Control (B3 10.4.2).
func allowed(kind Kind, terminal, card emv.Getter) bool {
	auc, ok := card.Get(emv.TagUsageControl)
	if !ok {
		return true
	}
	more, _ := terminal.Get(emv.TagMoreCapabilities)
	place := emv.AUCOtherThanATM
	if t, ok := terminal.Get(emv.TagTerminalType); ok && len(t) == 1 && emv.TerminalType(t[0]).ATM(more) {
		place = emv.AUCATM
	}
	if !place.In(auc) {
		return false
	}
	issuer, ok := card.Get(emv.TagIssuerCountry)
	if !ok {
		return true // whether it is domestic is not known
	}
	country, _ := terminal.Get(emv.TagTerminalCountry)
	use := international
	if bytes.Equal(issuer, country) {
		use = domestic
	}
	switch {
	case kind.Cash():
		return use.cash.In(auc)
	case kind == PurchaseWithCashback && !use.cashback.In(auc):
		return false
	case kind == Purchase || kind == PurchaseWithCashback:
		return purchaseAllowed(use, auc, more)
	}
	return true // the control knows nothing of refunds and inquiries
}

// uses are the bits of the control for one side of the border.
type uses struct{ cash, goods, services, cashback emv.Bit }

var (
	domestic = uses{emv.AUCDomesticCash, emv.AUCDomesticGoods, emv.AUCDomesticServices, emv.AUCDomesticCashback}

	international = uses{emv.AUCInternationalCash, emv.AUCInternationalGoods, emv.AUCInternationalServices,
		emv.AUCInternationalCashback}
)

// purchaseAllowed compares what the terminal sells with what the card may buy. A
// terminal that says neither goods nor services sells either.
func purchaseAllowed(use uses, auc, more []byte) bool {
	goods, services := emv.TypeGoods.In(more), emv.TypeServices.In(more)
	if !goods && !services {
		goods, services = true, true
	}
	return goods && use.goods.In(auc) || services && use.services.In(auc)
}

func day(from emv.Getter, tag emv.Tag) (emv.Day, bool) {
	v, ok := from.Get(tag)
	if !ok {
		return emv.Day{}, false
	}
	d, err := emv.ParseDay(v)
	return d, err == nil
}
