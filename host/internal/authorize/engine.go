package authorize

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/host/internal/audit"
	"tallystick.example/host/internal/issuer"
	"tallystick.example/host/internal/score"
	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/iso8583"
)

//go:embed sql/*.sql
var migrations embed.FS

// Migrations are the tables of transactions and of the outbox to issuers.
func Migrations() store.Set {
	sub, err := fs.Sub(migrations, "sql")
	if err != nil {
		panic("authorize: the embedded migrations are missing") // a fault of the build
	}
	return store.Set{Name: "authorize", FS: sub}
}

// Numbers gives retrieval reference numbers; rrn.Allocator is one.
type Numbers interface {
	Next(ctx context.Context) (string, error)
}

// Config is what an engine is made of. Every field without "optional" is
// required.
type Config struct {
	Store   *store.Store
	Node    string // 1 to 16 letters, digits, '-'
	Audit   *audit.Log
	Issuer  issuer.Issuer
	Rules   *score.Rules
	Numbers Numbers
	Now     func() time.Time
	Log     logrus.FieldLogger
	// IssuerWithin bounds one question to the issuer, and AnswerWithin the whole
	// message: issuer 10 s < host 15 s < agent 25 s.
	IssuerWithin, AnswerWithin time.Duration
	// OutboxTries is how often a reversal is offered to an issuer before it goes
	// to the operators.
	OutboxTries int
	// Decided, optional, is told of every outcome once it is durable. It must be
	// quick and must not change the record.
	Decided func(Record)
}

// An Engine decides transactions. It is safe for concurrent use.
type Engine struct {
	cfg     Config
	claims  atomic.Uint64
	mu      sync.Mutex
	flights map[string]*flight // by id of the transaction
	kick    chan struct{}      // has a token when the outbox may have work
}

// NewEngine returns an engine over cfg.
func NewEngine(cfg Config) (*Engine, error) {
	if cfg.Store == nil || cfg.Node == "" || cfg.Audit == nil || cfg.Issuer == nil || cfg.Rules == nil ||
		cfg.Numbers == nil || cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("authorize: the engine's configuration is not complete")
	}
	if cfg.IssuerWithin <= 0 || cfg.AnswerWithin <= cfg.IssuerWithin || cfg.OutboxTries < 1 {
		return nil, errors.New("authorize: want 0 < IssuerWithin < AnswerWithin and at least one outbox try")
	}
	if cfg.Decided == nil {
		cfg.Decided = func(Record) {}
	}
	return &Engine{cfg: cfg, flights: map[string]*flight{}, kick: make(chan struct{}, 1)}, nil
}

// A Message is an authenticated message of a terminal: its certificate named
// the terminal, and the boundary found the MAC valid.
type Message struct {
	*iso8583.Message
	Private iso8583.Private
	Opened  api.Opened
}

// A Reply is what the gateway seals and sends.
type Reply struct {
	Answer *iso8583.Message // without MAC
	ARC    string           // asks the boundary for an ARPC, empty for none
}

// now is the time in microseconds UTC.
func (e *Engine) now() int64 { return e.cfg.Now().UnixMicro() }

// Outcomes that a commit reports besides what it wrote.
var (
	errCounter = errors.New("authorize: another message under a used counter")
	errKeySet  = errors.New("authorize: the key set is retired or not registered")
)

// persist runs fn in a commit of its own time, until its outcome is known: what
// a payment has become must not depend on a connection that breaks. An unknown
// commit is asked again by the same write (rule 7). fn must do nothing when it
// finds its own work done.
func (e *Engine) persist(ctx context.Context, name string, fn func(tx *store.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.AnswerWithin)
	defer cancel()
	for {
		err := e.cfg.Store.Do(ctx, name, fn)
		if !errors.Is(err, store.ErrUnknown) || ctx.Err() != nil {
			return err
		}
	}
}

// answer builds an answer to m with DE 37 and DE 39.
func answer(m Message, rrn, code string) (*iso8583.Message, error) {
	a, err := iso8583.Answer(m.Message, code)
	if err != nil {
		return nil, fmt.Errorf("building an answer: %w", err)
	}
	if rrn != "" {
		a.SetText(37, rrn)
	}
	if m.MTI().Class() == iso8583.ClassReconciliation {
		a.SetDigits(66, "9") // not compared
	}
	return a, a.Err()
}
