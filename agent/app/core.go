package app

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"tallystick.example/agent/internal/core"
	"tallystick.example/agent/internal/journal"
	"tallystick.example/agent/internal/params"
	"tallystick.example/agent/internal/payment"
	"tallystick.example/agent/internal/register"
	"tallystick.example/agent/internal/terminal"
	"tallystick.example/dukpt"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
)

// Core is the terminal as one pure machine: Step(now, event) gives the actions to
// carry out. The running agent is a thin loop around it; a simulation is another.
type Core = core.Core

// Event is something that happened to a Core, Action something for its loop to do.
type (
	Event  = core.Event
	Action = core.Action
)

// The events of a Core.
type (
	Started      = core.Started
	Tick         = core.Tick
	PayAsked     = core.PayAsked
	AbortAsked   = core.AbortAsked
	KeyTaken     = core.KeyTaken
	CardReady    = core.CardReady
	CardDecided  = core.CardDecided
	CardFailed   = core.CardFailed
	CardRemoved  = core.CardRemoved
	KeyWanted    = core.KeyWanted
	CardDone     = core.CardDone
	Connected    = core.Connected
	Disconnected = core.Disconnected
	FrameCame    = core.FrameCame
)

// The actions of a Core that Books do not carry out, and the one whose steps a
// simulation can cut.
type (
	TakeKey      = core.TakeKey
	ReadCard     = core.ReadCard
	ReleaseKey   = core.ReleaseKey
	StopCard     = core.StopCard
	CompleteCard = core.CompleteCard
	Dial         = core.Dial
	Hangup       = core.Hangup
	Send         = core.Send
	Show         = core.Show
	Told         = core.Told
	Arm          = core.Arm
	Note         = core.Note
)

// CardResult is the card's last word, as CardDone brings it.
func CardResult(o *kernel.Outcome) payment.CardResult { return terminal.CardResult(o) }

// CardGone is the last word of a card that was pulled.
const CardGone = payment.CardGone

// Books are a terminal's journal and registers; Do carries out the actions that
// write.
type Books struct{ terminal.Books }

// BooksOptions says where the books of a Core are and how they begin.
type BooksOptions struct {
	Folder string
	Key    secret.Secret // 32 bytes, for journal and registers; a test key
	Random io.Reader
	Now    func() time.Time
	NoSync bool // leaves out fsync: what is lost must be lost by the caller
}

func (o BooksOptions) registers() register.Options {
	return register.Options{Path: filepath.Join(o.Folder, "registers.bin"), Key: o.Key, Random: o.Random, NoSync: o.NoSync}
}

// NewKey puts an initial DUKPT key into new registers.
func NewKey(o BooksOptions, ik secret.Secret, ksn dukpt.KSN) error {
	return register.Load(o.registers(), "", ik, ksn)
}

// OpenBooks opens the books as a starting agent does: registers that are behind
// the journal are moved forward.
func OpenBooks(o BooksOptions) (*Books, error) {
	j, err := journal.Open(journal.Options{Path: filepath.Join(o.Folder, "journal.db"), Key: o.Key, Random: o.Random, Now: o.Now, NoSync: o.NoSync})
	if err != nil {
		return nil, err
	}
	set, counter := j.Counter()
	r, _, err := register.Open(o.registers(), set, counter)
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	f := files{journal: j, register: r}
	if err := f.noteKeySet(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return &Books{terminal.Books{Journal: j, Register: r, Ready: func() string { return "" }}}, nil
}

// Close closes the books.
func (b *Books) Close() error { return errors.Join(b.Register.Close(), b.Journal.Close()) }

// LoadCore returns the Core of a starting terminal with the configuration file at
// path, as terminal id, and what its EMV kernel is configured by. It has a PIN
// pad.
func LoadCore(path, id string, b *Books, random io.Reader) (*Core, *kernel.Config, error) {
	cfg, err := params.Load(path, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("loading the configuration: %w", err)
	}
	cfg.Terminal.ID = id
	k, err := cfg.Kernel()
	if err != nil {
		return nil, nil, err
	}
	return core.New(terminal.CoreConfig(cfg, b.Journal, random, true)), k, nil
}
