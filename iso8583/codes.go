package iso8583

import "slices"

// An EntryMode is one row of the table of the first two digits of DE 22.
type EntryMode struct {
	Code string
	Name string
	Chip bool // DE 55 is required, and allowed
}

var entryModes = []EntryMode{
	{"01", "keyed", false},
	{"05", "chip", true},
	{"07", "contactless chip", true},
	{"10", "token on file", false},
	{"79", "keyed after chip and magnetic stripe failed", false},
	{"80", "magnetic stripe after chip failed (fallback)", false},
	{"90", "magnetic stripe", false},
	{"91", "contactless magnetic stripe", false},
}

// EntryModes returns the table of entry modes, a copy.
func EntryModes() []EntryMode { return slices.Clone(entryModes) }

// PINCapability is the third digit of DE 22.
type PINCapability struct {
	Code string
	Name string
}

var pinCapabilities = []PINCapability{
	{"0", "unknown"}, {"1", "can take a PIN"}, {"2", "cannot take a PIN"},
	{"8", "PIN pad out of order"}, {"9", "PIN verified by the terminal or card"},
}

// PINCapabilities returns the table of PIN capabilities, a copy.
func PINCapabilities() []PINCapability { return slices.Clone(pinCapabilities) }

// EntryModeOf finds the row for DE 22 (three digits). It reports false when
// entry mode or PIN capability is unknown.
func EntryModeOf(de22 string) (EntryMode, bool) {
	if len(de22) != 3 || !slices.ContainsFunc(pinCapabilities, func(p PINCapability) bool { return p.Code == de22[2:] }) {
		return EntryMode{}, false
	}
	i := slices.IndexFunc(entryModes, func(e EntryMode) bool { return e.Code == de22[:2] })
	if i < 0 {
		return EntryMode{}, false
	}
	return entryModes[i], true
}

// The values of DE 70.
const (
	SignOn            = "001"
	SignOff           = "002"
	KeyExchange       = "101"
	Echo              = "301"
	ParameterDownload = "901"
)

// A NetworkCode is one row of the table of DE 70.
type NetworkCode struct {
	Code string
	Name string
	Rule string
}

var networkCodes = []NetworkCode{
	{SignOn, "sign-on", "Once after each connection, before anything else. Tags 10, 11, 12 and 16 tell what the terminal is; the answer carries tags 11, 14 and 15."},
	{SignOff, "sign-off", "Before an ordered end; optional."},
	{KeyExchange, "key exchange", "Asks for a new initial key, as a TR-31 block under the terminal's key encryption key."},
	{Echo, "echo", "Tests the path. Without MAC, changes nothing; DE 63 is optional."},
	{ParameterDownload, "parameter download", "Asks for one part of a parameter set; repeated with the next offset until the offset is the total, then the SHA-256 is checked."},
}

// NetworkCodes returns the table of DE 70, a copy.
func NetworkCodes() []NetworkCode { return slices.Clone(networkCodes) }

// A ReversalReason says why an attempt is undone (DE 63 tag 08).
type ReversalReason uint8

// The reasons of reversals.
const (
	ReasonNoAnswer        ReversalReason = 1
	ReasonBadMAC          ReversalReason = 2
	ReasonBadAnswer       ReversalReason = 3
	ReasonCardDeclined    ReversalReason = 4
	ReasonCardRemoved     ReversalReason = 5
	ReasonSignature       ReversalReason = 6
	ReasonPartialRefused  ReversalReason = 7
	ReasonAborted         ReversalReason = 8
	ReasonPowerLoss       ReversalReason = 9
	ReasonPartialReversal ReversalReason = 10
	ReasonOfflineApproved ReversalReason = 11
	ReasonHostUnsure      ReversalReason = 12
)

// A ReasonRow is one row of the table of reversal reasons.
type ReasonRow struct {
	Reason ReversalReason
	Name   string
}

var reasons = []ReasonRow{
	{ReasonNoAnswer, "no answer in time"},
	{ReasonBadMAC, "answer without a valid MAC"},
	{ReasonBadAnswer, "answer unreadable or not matching the request"},
	{ReasonCardDeclined, "the card declined an approved answer"},
	{ReasonCardRemoved, "card removed early"},
	{ReasonSignature, "signature refused"},
	{ReasonPartialRefused, "partial approval refused"},
	{ReasonAborted, "aborted after sending"},
	{ReasonPowerLoss, "power loss or restart"},
	{ReasonPartialReversal, "a part of the amount is given back"},
	{ReasonOfflineApproved, "approved offline after no answer; a 0220 follows"},
	{ReasonHostUnsure, "the response code demands a reversal"},
}

// ReversalReasons returns the table of reversal reasons, a copy.
func ReversalReasons() []ReasonRow { return slices.Clone(reasons) }

// Known reports whether the reason is in the table.
func (r ReversalReason) Known() bool { return r >= 1 && int(r) <= len(reasons) }

// String names the reason.
func (r ReversalReason) String() string {
	if !r.Known() {
		return "unknown"
	}
	return reasons[r-1].Name
}
