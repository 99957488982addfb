package ledger

import (
	"fmt"
	"strings"
)

// Names of templates.
const (
	Sale             = "sale"               // purchase, cashback, cash advance, completion, tip
	Refund           = "refund"             // the merchant gives money back
	Void             = "void"               // the merchant cancels a stored sale, as a transaction of its own
	Fee              = "fee"                // merchant service charge
	FeeRefund        = "fee_refund"         // a charge given back
	Interchange      = "interchange"        // what the issuer keeps of a sale
	OfflineSuspense  = "offline_suspense"   // advice whose TC cannot be verified, or over limits
	SuspenseRelease  = "suspense_release"   // the issuer vouches for it after all
	SettleIssuer     = "settle_issuer"      // the issuer pays us
	SettleIssuerBack = "settle_issuer_back" // we pay the issuer, when refunds prevail
	SettleMerchant   = "settle_merchant"    // we pay the merchant
	CollectMerchant  = "collect_merchant"   // the merchant pays us, when refunds prevail
	Hold             = "hold"               // pre-authorization or increment
	HoldRelease      = "hold_release"       // completion or release of a pre-authorization
	Chargeback       = "chargeback"         // a dispute takes a sale back
	Representment    = "representment"      // a dispute is won
)

// reversal is the template name of mirrored postings; only Reverse makes them.
const reversal = "reversal"

// A Kind groups accounts in reports.
type Kind string

// Kinds of accounts.
const (
	Asset      Kind = "asset"
	Liability  Kind = "liability"
	Income     Kind = "income"
	Expense    Kind = "expense"
	Contingent Kind = "contingent" // off balance sheet
)

// An Account is one line of the chart. A Path that ends in <issuer> or
// <merchant> stands for one account for each of them.
type Account struct {
	Path    string
	Kind    Kind
	Meaning string
}

// Chart is the chart of accounts.
var Chart = []Account{
	{receivable, Asset, "what the issuer owes us"},
	{payable, Liability, "what we owe the merchant"},
	{suspense, Liability, "offline advices that nobody vouches for yet"},
	{bank, Asset, "our settlement account"},
	{income, Income, "merchant service charges"},
	{expense, Expense, "what issuers keep of a sale"},
	{hold, Contingent, "pre-authorized, not yet completed"},
	{held, Contingent, "the other half of it"},
}

const (
	receivable = "acquirer:receivable:<issuer>"
	payable    = "merchant:payable:<merchant>"
	suspense   = "acquirer:suspense:<merchant>"
	bank       = "acquirer:bank"
	income     = "acquirer:income:fee"
	expense    = "acquirer:expense:interchange"
	hold       = "contingent:hold:<issuer>"
	held       = "contingent:held:<merchant>"
)

// A Line is one entry of a template: Factor times the amount on Account.
type Line struct {
	Account string // a path of Chart
	Factor  int64  // positive debits, negative credits
}

// Templates are all ways to post. The factors of each sum to zero, hence so do
// its entries, for every amount.
var Templates = map[string][]Line{
	Sale:             {{receivable, 1}, {payable, -1}},
	Refund:           {{payable, 1}, {receivable, -1}},
	Void:             {{payable, 1}, {receivable, -1}},
	Fee:              {{payable, 1}, {income, -1}},
	FeeRefund:        {{income, 1}, {payable, -1}},
	Interchange:      {{expense, 1}, {receivable, -1}},
	OfflineSuspense:  {{receivable, 1}, {suspense, -1}},
	SuspenseRelease:  {{suspense, 1}, {payable, -1}},
	SettleIssuer:     {{bank, 1}, {receivable, -1}},
	SettleIssuerBack: {{receivable, 1}, {bank, -1}},
	SettleMerchant:   {{payable, 1}, {bank, -1}},
	CollectMerchant:  {{bank, 1}, {payable, -1}},
	Hold:             {{hold, 1}, {held, -1}},
	HoldRelease:      {{held, 1}, {hold, -1}},
	Chargeback:       {{payable, 1}, {receivable, -1}},
	Representment:    {{receivable, 1}, {payable, -1}},
}

// An entry is one side of a posting.
type entry struct {
	account string
	minor   int64
}

// entries applies the template of p. sign is 1, or -1 for a mirror.
func entries(p Posting, sign int64) ([]entry, error) {
	lines, ok := Templates[p.Template]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrTemplate, p.Template)
	}
	if p.Amount < 1 || p.Amount > MaxAmount {
		return nil, fmt.Errorf("%w: %d, want 1 to %d minor units", ErrAmount, p.Amount, int64(MaxAmount))
	}
	var sum int64
	out := make([]entry, len(lines))
	for i, l := range lines {
		name := strings.NewReplacer("<issuer>", p.Issuer, "<merchant>", p.Merchant).Replace(l.Account)
		if strings.HasSuffix(name, ":") {
			return nil, fmt.Errorf("%w: template %s needs a name for %s", ErrPosting, p.Template, l.Account)
		}
		out[i] = entry{name, sign * l.Factor * p.Amount}
		sum += out[i].minor
	}
	if sum != 0 {
		panic("ledger: template " + p.Template + " does not balance")
	}
	return out, nil
}
