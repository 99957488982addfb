package journal

import "encoding/json"

// End is how an attempt ended, or that it is still open.
type End string

// The ends of an attempt. Exactly one of the first four is final; EndReversing
// becomes EndReversed when the host acknowledges the reversal.
const (
	EndApproved  End = "approved"
	EndDeclined  End = "declined"
	EndCancelled End = "cancelled" // nothing was sent
	EndReversed  End = "reversed"
	EndReversing End = "reversing" // a reversal is owed to the host
	EndOpen      End = "open"      // no outcome yet
)

// Begin states what the till asked for, before the card is touched.
type Begin struct {
	Sale       string `json:"sale"`     // the till's reference
	Kind       string `json:"kind"`     // "purchase"
	MTI        string `json:"mti"`      // "0200"
	Processing string `json:"proc"`     // DE 3
	Amount     int64  `json:"amount"`   // minor units, cashback included (DE 4)
	Cashback   int64  `json:"cashback"` // minor units, part of Amount
	Currency   uint16 `json:"currency"` // ISO 4217 numeric
	// STAN and ReversalSTAN are taken together, so that a reversal never has to
	// wait for a number.
	STAN         uint32 `json:"stan"`
	ReversalSTAN uint32 `json:"reversal_stan"`
}

// KeyUse states that a DUKPT counter is about to be used.
type KeyUse struct {
	Counter uint32 `json:"counter"`
	For     string `json:"for"` // MTI of the message
}

// Intent states what is about to leave, as far as a reversal needs it. It holds
// no card data beyond the last four digits.
type Intent struct {
	Counter   uint32 `json:"counter"` // DUKPT counter of the request, 0 in clear tests
	EntryMode string `json:"entry"`   // DE 22
	LastFour  string `json:"last4"`
	// Request is the packed request without card data, PIN block and chip data:
	// what its reversal is built from.
	Request []byte `json:"request"`
	AID     string `json:"aid,omitempty"`
	Label   string `json:"label,omitempty"`
	ATC     string `json:"atc,omitempty"` // 9F36, hex
}

// Outcome states what the attempt came to. It is durable before till, payer or
// receipt are told.
type Outcome struct {
	End    End    `json:"end"`
	Reason string `json:"reason,omitempty"` // why it is not approved, in words
	// Owes is the reason of the reversal (DE 63 tag 08) when End is reversing.
	Owes uint8  `json:"owes,omitempty"`
	RC   string `json:"rc,omitempty"`   // DE 39
	RRN  string `json:"rrn,omitempty"`  // DE 37
	Auth string `json:"auth,omitempty"` // DE 38
	// Scripts and Final tell the host, with the terminal's next message, what the
	// card made of its scripts (9F5B) and its last cryptogram.
	Scripts []byte `json:"scripts,omitempty"`
	Final   []byte `json:"final,omitempty"`
	// Receipt is what a reprint needs.
	Receipt json.RawMessage `json:"receipt,omitempty"`
}

// Confirmed states that the host knows that approvals were completed.
type Confirmed struct {
	Attempts []uint64 `json:"attempts"`
}

// Sent states that a reversal is about to leave.
type Sent struct {
	Counter uint32 `json:"counter"`
	Try     int    `json:"try"` // 1 for the 0420, more for a 0421
}

// Closed states that the host has acknowledged a reversal.
type Closed struct {
	RC string `json:"rc"`
}

// Stuck states that a reversal needs an operator.
type Stuck struct {
	Reason string `json:"reason"`
}

// KeyLoad states that a DUKPT key set was loaded.
type KeyLoad struct {
	Set    string `json:"set"` // initial key id or initial KSN, hex
	Scheme string `json:"scheme"`
}

// Checkpoint is a signed audit checkpoint of a host node, as host audit verify
// reads it.
type Checkpoint struct {
	Node      string `json:"node"`
	Boot      uint64 `json:"boot"`
	Count     uint64 `json:"count"`
	Head      string `json:"head"`      // hex, 32 bytes
	Signature string `json:"signature"` // hex, 64 bytes
}

// Reserve states that a block of STANs may have been used.
type Reserve struct {
	// Next is the first STAN of the next block.
	Next uint32 `json:"next"`
}

// Snapshot carries what later records build on over a pruning.
type Snapshot struct {
	NextSTAN uint32 `json:"next_stan"`
	KeySet   string `json:"key_set"`
	Counter  uint32 `json:"counter"`
	// Checkpoints are the newest ones, one of each node.
	Checkpoints []Checkpoint `json:"checkpoints,omitempty"`
}
