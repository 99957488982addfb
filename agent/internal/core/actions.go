package core

import (
	"time"

	"tallystick.example/agent/internal/journal"
	"tallystick.example/dukpt"
	"tallystick.example/emv/kernel"
)

// An Action is something for the loop to do.
type Action interface{ action() }

// A Task says what a number or a key is for.
type Task uint8

// The tasks.
const (
	ForSale Task = iota + 1
	ForReversal
	ForSignOn
	ForEcho
)

// A Purpose is a task with the attempt that it is about, if any, and its turn: a
// reversal's transmission, a connection's sign-on.
type Purpose struct {
	Task    Task
	Attempt uint64
	Turn    uint64
}

// Actions that write. Each is done when it is durable.
type (
	// Begin journals that an attempt begins, unless keys, disk or reader stop it:
	// Begun or NotBegun.
	Begin struct{ Begin journal.Begin }
	// TakeSTAN takes a number for a message outside a sale: STANTaken or NotTaken.
	TakeSTAN struct{ For Purpose }
	// TakeKey takes the next DUKPT key: the next register state is durable, then
	// the journal's record of the use, then KeyTaken. Try is a reversal's
	// transmission, MTI what any other message is.
	TakeKey struct {
		For Purpose
		MTI string
		Try int
	}
	// SkipTo moves the registers forward to a counter that the host has seen:
	// Skipped.
	SkipTo struct{ Counter uint32 }
	// WriteIntent journals what is about to leave.
	WriteIntent struct {
		Attempt uint64
		Intent  journal.Intent
	}
	// WriteOutcome journals the end of an attempt: Ended.
	WriteOutcome struct {
		Attempt uint64
		Outcome journal.Outcome
	}
	// WriteClosed, WriteStuck, WriteConfirmed and WriteCheckpoint journal what
	// their records say.
	WriteClosed struct {
		Attempt uint64
		Closed  journal.Closed
	}
	WriteStuck struct {
		Attempt uint64
		Stuck   journal.Stuck
	}
	WriteConfirmed  struct{ Confirmed journal.Confirmed }
	WriteCheckpoint struct{ Checkpoint journal.Checkpoint }
)

// Actions towards card, host, till and clock.
type (
	// ReadCard has the card read up to its first GENERATE AC: CardReady,
	// CardDecided or CardFailed, and KeyWanted before when a PIN was entered.
	ReadCard struct{ Sale Sale }
	// ReleaseKey answers KeyWanted. Keys stay the Core's; nil when there is none.
	ReleaseKey struct {
		Keys *dukpt.WorkingKeys
		Why  string
	}
	// StopCard stops waiting for card or PIN.
	StopCard struct{}
	// CompleteCard gives the host's decision to the card: CardDone.
	CompleteCard struct{ Answer kernel.Answer }
	// Dial, Hangup and Send are those of package hostlink.
	Dial   struct{ Conn uint64 }
	Hangup struct{ Conn uint64 }
	Send   struct {
		Conn uint64
		Body []byte
	}
	// Show tells the till of a step while a payment is under way.
	Show struct{ Step Step }
	// Told ends PayAsked. The books hold the outcome of the sale unless Refused.
	Told struct {
		Call    uint64
		Refused string // why no attempt was begun
		Busy    bool   // another payment is under way
		Known   bool   // the sale had been asked for before: nothing was done
		Trouble bool   // Refused is a fault of the terminal
	}
	// Arm asks for a Tick at a time; the newest counts. The zero time disarms.
	Arm struct{ At time.Time }
	// Note is for the log. It holds no card data.
	Note struct {
		Level  Level
		Text   string
		Fields map[string]any
	}
)

// A Step is what till and payer see.
type Step uint8

// The steps that the Core knows; the card part adds its own.
const (
	Reversing Step = iota + 1 // an earlier reversal goes first
	PleaseWait
)

// Level is the weight of a Note.
type Level uint8

// The levels.
const (
	Info Level = iota
	Warning
	Failure
)

// A Sale is the payment that is served.
type Sale struct {
	Call             uint64
	Reference        string
	Amount, Cashback int64  // minor units
	Currency         uint16 // ISO 4217 numeric
	At               time.Time
	STAN             uint32
	Attempt          uint64
}

func (Begin) action()           {}
func (TakeSTAN) action()        {}
func (TakeKey) action()         {}
func (SkipTo) action()          {}
func (WriteIntent) action()     {}
func (WriteOutcome) action()    {}
func (WriteClosed) action()     {}
func (WriteStuck) action()      {}
func (WriteConfirmed) action()  {}
func (WriteCheckpoint) action() {}
func (ReadCard) action()        {}
func (ReleaseKey) action()      {}
func (StopCard) action()        {}
func (CompleteCard) action()    {}
func (Dial) action()            {}
func (Hangup) action()          {}
func (Send) action()            {}
func (Show) action()            {}
func (Told) action()            {}
func (Arm) action()             {}
func (Note) action()            {}
