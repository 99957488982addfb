package core

import (
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/dukpt"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
)

// An Event is something that happened outside.
type Event interface{ event() }

// Events of the program and of the till.
type (
	// Started is the first event: what the last run left behind is settled, and
	// the terminal connects.
	Started struct{}
	// Ending stops the payment under way and the connection; no payment begins
	// any more.
	Ending struct{}
	// Tick says that the time of the last Arm has come.
	Tick struct{}
	// PayAsked is a till that wants a payment; Told with the same Call follows.
	PayAsked struct {
		Call             uint64
		Sale             string // the till's reference
		Amount, Cashback int64  // minor units; the cashback is part of the amount
	}
	// TillGone is a till that waits no longer: nothing more is begun for it.
	TillGone struct{ Call uint64 }
	// AbortAsked stops the payment under way.
	AbortAsked struct{}
	// RetryAsked is an operator's wish to send a reversal again.
	RetryAsked struct{ Attempt uint64 }
)

// Events that answer actions which write.
type (
	// Begun brings the attempt that Begin has made durable.
	Begun struct{ Attempt journal.Attempt }
	// NotBegun says that no attempt could begin: disk, keys or reader.
	NotBegun struct{ Why string }
	// Ended says that the outcome of an attempt is durable.
	Ended struct{ Attempt uint64 }
	// Skipped says that the registers are at the counter of SkipTo, or Why not.
	Skipped struct{ Why string }
	// STANTaken brings the number that TakeSTAN asked for.
	STANTaken struct {
		For  Purpose
		STAN uint32
	}
	// KeyTaken brings the key of TakeKey, after registers and journal are durable.
	// The Core wipes it.
	KeyTaken struct {
		For  Purpose
		Keys *dukpt.WorkingKeys
	}
	// NotTaken says that number or key could not be had, and that this is no
	// reason to end.
	NotTaken struct {
		For Purpose
		Why string
	}
)

// Events of the card and of who holds it.
type (
	// CardReady says that the card asks for the host (ARQC). PINBlock was made
	// under the key that ReleaseKey brought; zero without an online PIN.
	CardReady struct {
		First    *kernel.Request
		PINBlock secret.Secret
	}
	// CardDecided says that the card decided by itself.
	CardDecided struct{ First *kernel.Request }
	// CardFailed says that the card part ended without a cryptogram.
	CardFailed struct{ Why string }
	// CardRemoved says that the card was pulled.
	CardRemoved struct{}
	// KeyWanted asks for the key of the sale, to encrypt a PIN.
	KeyWanted struct{}
	// CardDone brings the card's last word. Last is nil when the card part died.
	CardDone struct {
		Last   *kernel.Outcome
		Result payment.CardResult
	}
)

// Events of the connection to the host. Conn is the number that Dial gave.
type (
	Connected    struct{ Conn uint64 }
	Disconnected struct {
		Conn uint64
		Why  string
	}
	FrameCame struct {
		Conn uint64
		Body []byte
	}
)

func (Started) event()      {}
func (Ending) event()       {}
func (Tick) event()         {}
func (PayAsked) event()     {}
func (TillGone) event()     {}
func (AbortAsked) event()   {}
func (RetryAsked) event()   {}
func (Begun) event()        {}
func (NotBegun) event()     {}
func (Ended) event()        {}
func (Skipped) event()      {}
func (STANTaken) event()    {}
func (KeyTaken) event()     {}
func (NotTaken) event()     {}
func (CardReady) event()    {}
func (CardDecided) event()  {}
func (CardFailed) event()   {}
func (CardRemoved) event()  {}
func (KeyWanted) event()    {}
func (CardDone) event()     {}
func (Connected) event()    {}
func (Disconnected) event() {}
func (FrameCame) event()    {}
