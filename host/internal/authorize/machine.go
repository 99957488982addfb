package authorize

// State is where the row of a transaction stands.
type State uint8

// The states of a row. A row leaves Undecided once and for ever; Approved and
// Declined may still turn into Reversed, and Reversed is final.
const (
	New       State = iota // no row yet
	Undecided              // intent durable, the issuer is being asked
	Approved               // outcome durable and posted
	Declined               // outcome durable, nothing was posted
	Reversed               // undone, or reversed before it was ever asked
)

// String is the word that the store and the exports use.
func (s State) String() string {
	switch s {
	case New:
		return "new"
	case Undecided:
		return "undecided"
	case Approved:
		return "approved"
	case Declined:
		return "declined"
	case Reversed:
		return "reversed"
	}
	return "invalid"
}

// Decided reports whether the row has an outcome.
func (s State) Decided() bool { return s == Approved || s == Declined || s == Reversed }

// Response codes (DE 39) that the machine itself gives.
const (
	CodeApproved   = "00"
	codeInProgress = "09" // a repeat came, and the original is still undecided
	CodeLate       = "68" // the original came after its reversal
	CodeNoIssuer   = "91" // the issuer did not answer in time
	CodeDuplicate  = "94" // same identity, other content
	CodeBadMAC     = "63"
	CodeBadFormat  = "30"
	CodeNotAllowed = "57"
	CodeInvalid    = "12"
	CodeSystem     = "96"
)

// A Row is what the machine remembers of a transaction. The zero Row is a
// transaction that nobody has heard of.
type Row struct {
	State State
	// Undo tells that a reversal came while the row was undecided: whatever the
	// outcome, it is undone.
	Undo bool
	// Request and Reversal are digests of the first request and of the first
	// reversal; zero until one came.
	Request, Reversal Digest
	// Subject is the digest of what both must agree on (DE 3, 4, 49).
	Subject Digest
	// Code is DE 39 of the outcome; empty while undecided and in a row that was
	// reversed before its request came.
	Code string
}

// An Event is something that happened to one transaction.
type Event interface{ event() }

// The events of a transaction.
type (
	// RequestCame is a request or its repeat: which of the two does not matter,
	// since a repeat may arrive first.
	RequestCame struct{ Digest, Subject Digest }
	// ReversalCame is a reversal request, a reversal advice or a repeat of one.
	ReversalCame struct{ Digest, Subject Digest }
	// OutcomeCame is the decision, by the issuer or by the host's own rules.
	OutcomeCame struct {
		Approved bool
		Code     string // DE 39
	}
	// IssuerSilent means that the issuer gave no answer in time: nobody knows
	// whether it approved.
	IssuerSilent struct{}
	// Abandoned is said at start of every intent without outcome: the program
	// ended between its two commits, and no answer has left.
	Abandoned struct{}
)

func (RequestCame) event()  {}
func (ReversalCame) event() {}
func (OutcomeCame) event()  {}
func (IssuerSilent) event() {}
func (Abandoned) event()    {}

// Do names one thing that the driver carries out.
type Do uint8

// The actions. Those that write belong into the commit of the row itself.
const (
	Intend       Do = iota + 1 // write intent, upstream numbers and the reversal that would undo it; then ask the issuer
	Wait                       // wait for the outcome, then apply the same event again
	Replay                     // answer with the stored answer
	Refuse                     // answer with Code, and change nothing
	Acknowledge                // answer the reversal with 00
	Post                       // post the approved amount
	Unpost                     // post the exact opposite of Post
	UndoAtIssuer               // queue the reversal of the intent to the issuer
	Answer                     // answer the request with Code
)

// An Action is one Do; Code is DE 39 where it says so.
type Action struct {
	Do   Do
	Code string
}

// Next is the whole machine of one transaction. It does no I/O and knows no
// clock; the caller commits the new row together with the effects of the
// actions, and carries out the answers afterwards.
//
// Whatever the order and number of requests, repeats and reversals: at most one
// Intend, at most one Post, at most one Unpost and only after Post, and what an
// issuer may have approved is either Approved here or undone there.
func Next(r Row, e Event) (Row, []Action) {
	switch e := e.(type) {
	case RequestCame:
		return request(r, e)
	case ReversalCame:
		return reversal(r, e)
	case OutcomeCame:
		return outcome(r, e)
	case IssuerSilent:
		return silent(r)
	case Abandoned:
		return abandoned(r)
	}
	panic("authorize: unknown event")
}

// request handles a request or repeat.
func request(r Row, e RequestCame) (Row, []Action) {
	switch {
	case r.State == New:
		r.State, r.Request, r.Subject = Undecided, e.Digest, e.Subject
		return r, []Action{{Do: Intend}}
	case r.Request.IsZero():
		// The reversal overtook it: the terminal has given this attempt up.
		return r, []Action{{Do: Refuse, Code: CodeLate}}
	case r.Request != e.Digest:
		return r, []Action{{Do: Refuse, Code: CodeDuplicate}}
	case r.State == Undecided:
		return r, []Action{{Do: Wait}}
	case r.State == Reversed:
		// The stored answer may say approved, which is true no more.
		return r, []Action{{Do: Refuse, Code: CodeLate}}
	}
	return r, []Action{{Do: Replay}}
}

// reversal handles a reversal or its repeat.
func reversal(r Row, e ReversalCame) (Row, []Action) {
	if !r.Reversal.IsZero() {
		if r.Reversal != e.Digest {
			return r, []Action{{Do: Refuse, Code: CodeDuplicate}}
		}
		return r, []Action{{Do: Acknowledge}}
	}
	if r.State != New && r.Subject != e.Subject {
		return r, []Action{{Do: Refuse, Code: CodeDuplicate}}
	}
	r.Reversal = e.Digest
	acts := []Action{{Do: Acknowledge}}
	switch r.State {
	case New:
		r.State, r.Subject = Reversed, e.Subject
	case Undecided:
		r.Undo = true
	case Approved:
		r.State = Reversed
		acts = []Action{{Do: Unpost}, {Do: UndoAtIssuer}, {Do: Acknowledge}}
	case Declined:
		// Nothing was posted; both ends now call the attempt reversed.
		r.State = Reversed
	}
	return r, acts
}

// outcome handles the decision. A second one, or one that comes after the row
// was given up, changes nothing: the reversal to the issuer is already queued.
func outcome(r Row, e OutcomeCame) (Row, []Action) {
	if r.State != Undecided {
		return r, nil
	}
	if r.Undo {
		r.State, r.Code, r.Undo = Reversed, CodeLate, false
		if e.Approved {
			return r, []Action{{Do: UndoAtIssuer}, {Do: Answer, Code: CodeLate}}
		}
		return r, []Action{{Do: Answer, Code: CodeLate}}
	}
	r.Code = e.Code
	if !e.Approved {
		r.State = Declined
		return r, []Action{{Do: Answer, Code: e.Code}}
	}
	r.State = Approved
	return r, []Action{{Do: Post}, {Do: Answer, Code: e.Code}}
}

// silent handles an issuer that gave no answer.
func silent(r Row) (Row, []Action) {
	if r.State != Undecided {
		return r, nil
	}
	r.State, r.Code = Declined, CodeNoIssuer
	if r.Undo {
		r.State, r.Code, r.Undo = Reversed, CodeLate, false
	}
	return r, []Action{{Do: UndoAtIssuer}, {Do: Answer, Code: r.Code}}
}

// abandoned settles an intent that a crash left behind.
func abandoned(r Row) (Row, []Action) {
	if r.State != Undecided {
		return r, nil
	}
	r.State, r.Code, r.Undo = Reversed, CodeNoIssuer, false
	return r, []Action{{Do: UndoAtIssuer}}
}
