package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	agent "tallystick.example/agent/app"
	"tallystick.example/dukpt"
	"tallystick.example/emv"
	host "tallystick.example/host/app"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/soft"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/card"
	"tallystick.example/simulator/lab"
)

// A simHost is the host: its Core and databases while it runs, and the issuer,
// whose book lives on while the host does not.
type simHost struct {
	s      *simulation
	life   int
	core   *host.Core
	parts  *host.Parts // nil while it is down
	issuer *host.OnUs
	hsm    *soft.HSM
	open   api.HSM // the session of all lives
}

func newSimHost(s *simulation) *simHost {
	h := &simHost{s: s}
	must(s.t, os.MkdirAll(s.path("host"), 0o700))
	var err error
	h.hsm, err = soft.New(soft.Options{Directory: s.path("hsm"), Lab: true, Random: s.bytes, Now: func() time.Time { return s.now },
		Components: []secret.Secret{secret.New(bytes.Repeat([]byte{0x13}, 32)), secret.New(bytes.Repeat([]byte{0x31}, 32))}})
	must(s.t, err)
	h.open = h.hsm.NewSession()
	h.issuer, err = host.OpenOnUs(s.t.Context(), h.options())
	must(s.t, err)
	h.found()
	return h
}

func (h *simHost) options() host.PartsOptions {
	return host.PartsOptions{Folder: h.s.path("host"), Node: "n1", Boundary: h.open, Rules: []byte("version: none\nrules: []\n"),
		Random: h.s.bytes, Now: func() time.Time { return h.s.now }, IssuerWithin: 10 * time.Second, AnswerWithin: 15 * time.Second}
}

// found registers terminals and cards.
func (h *simHost) found() {
	s, ctx := h.s, h.s.t.Context()
	parts, _, err := host.OpenParts(ctx, h.options())
	must(s.t, err)
	for n := range simTerminals {
		scheme, algorithm := api.SchemeAES, "A"
		if simScheme(n) == dukpt.TDES {
			scheme, algorithm = api.SchemeTDES, "T"
		}
		bdk, err := h.open.ImportClear(ctx, api.ImportClear{Spec: api.KeySpec{Usage: "B0", Algorithm: algorithm, Mode: "X", Bytes: 16}, Key: secret.New(simBDK())})
		must(s.t, err)
		id := fmt.Sprintf("SIMTERM%d", n)
		must(s.t, parts.AddTerminal(ctx, simIdentity(id), simPrint(id),
			api.KeySet{Scheme: scheme, ID: simKSN(n).ID(), BDK: bdk.Block, PIN: true, MAC: true, Data: true}))
		a := simProfile(n).Apps[0]
		imk, err := hex.DecodeString(a.Keys.IMKAC)
		must(s.t, err)
		must(s.t, parts.AddCard(ctx, h.issuer, host.LabCard{PAN: secret.New([]byte(a.PAN)), PIN: secret.New([]byte("1234")), IMK: secret.New(imk),
			PSN: a.PSN, Expiry: a.Expiry, Profile: a.Keys.Profile, Currency: 978, Balance: simBalance(n)}))
	}
	must(s.t, parts.Close())
}

// start begins the program's next life, from what is durable.
func (h *simHost) start() {
	h.life++
	var err error
	h.parts, h.core, err = host.OpenParts(h.s.t.Context(), h.options())
	must(h.s.t, err)
	h.step(host.HostStarted{})
	h.every(5*time.Second, host.OutboxDue{})
	h.every(30*time.Second, host.SweepDue{})
	if !h.s.calm {
		h.later(30*time.Second+h.s.soon(8*time.Minute), "is killed", h.killed)
	}
}

func (h *simHost) every(d time.Duration, e host.Event) {
	h.later(d, fmt.Sprintf("%T", e), func() {
		h.step(e)
		h.every(d, e)
	})
}

// later has something happen to this life of the program.
func (h *simHost) later(d time.Duration, what string, do func()) {
	life := h.life
	h.s.after(d, "host "+what, func() {
		if h.life == life && h.parts != nil {
			do()
		}
	})
}

// crash ends the program and its connections.
func (h *simHost) crash() {
	if h.parts == nil {
		return
	}
	must(h.s.t, h.parts.Close())
	h.parts, h.core = nil, nil
	h.life++
	for _, l := range h.s.sorted() {
		l.cut("the host is gone")
	}
}

func (h *simHost) killed() {
	h.s.note("host is down")
	h.crash()
	h.s.after(time.Second+h.s.soon(20*time.Second), "host starts", h.start)
}

// came brings a frame.
func (h *simHost) came(l *simLine, f iso8583.Frame) {
	if h.parts != nil {
		h.step(host.FrameIn{Line: l.number, Frame: f})
	}
}

// step gives the Core an event and has its actions happen.
func (h *simHost) step(e host.Event) {
	life := h.life
	for _, a := range h.core.Step(h.s.now, e) {
		h.s.note("host %s", describeHost(a))
		h.do(a)
		if h.life != life {
			return
		}
	}
}

// do has one action happen, in a while. The host may end before or after it.
func (h *simHost) do(a host.Action) {
	s := h.s
	switch a := a.(type) {
	case host.FrameOut:
		if l := s.lines[a.Line]; l != nil {
			s.carry(l, "to "+l.agent.id, a.Frame.Body, func(body []byte) {
				if l.agent.books != nil && l.agent.life == l.life {
					l.agent.step(agent.FrameCame{Conn: l.conn, Body: body})
				}
			})
		}
		return
	case host.Cut:
		if l := s.lines[a.Line]; l != nil {
			l.cut("the host has cut it")
		}
		return
	case host.Settled:
		if a.Err != nil {
			s.note("host could not: %v", a.Err)
		}
		return
	case host.Authorize:
		switch o := a.Order.(type) {
		case host.Ask:
			h.ask(o)
			return
		case host.Offer:
			h.offer(o)
			return
		case host.Pause:
			h.later(o.Within, "wakes", func() { h.step(host.AuthorizeDid{Input: host.Woken{Call: o.Call, Turn: o.Turn}}) })
			return
		case host.Commit:
			h.commit(a, o)
			return
		}
	}
	if e := h.parts.Do(s.t.Context(), h.issuer, a); e != nil {
		h.later(s.soon(3*time.Millisecond), "goes on", func() { h.step(e) })
	}
}

// commit has a commit happen, and its result be known later, or never.
func (h *simHost) commit(a host.Action, o host.Commit) {
	s := h.s
	h.later(s.soon(20*time.Millisecond), "commits "+o.Name, func() {
		if s.mishap(150) {
			h.killed() // before it
			return
		}
		unknown := func() {
			h.later(s.soon(200*time.Millisecond), "does not know", func() {
				h.step(host.AuthorizeDid{Input: host.Committed{Call: o.Call, Err: fmt.Errorf("simulated: %w", host.ErrUnknown)}})
			})
		}
		if s.mishap(40) {
			unknown() // and not done
			return
		}
		e := h.parts.Do(s.t.Context(), h.issuer, a)
		switch {
		case s.mishap(150):
			h.killed() // after it
		case s.mishap(40):
			unknown() // and done
		default:
			h.later(s.soon(20*time.Millisecond), "has committed", func() { h.step(e) })
		}
	})
}

// ask has the issuer decide: in a moment, late, or without an answer that comes
// back. The issuer goes on when the host does not.
func (h *simHost) ask(o host.Ask) {
	s := h.s
	answered := false
	said := func(in host.IssuerSaid) func() {
		return func() {
			if !answered {
				answered = true
				h.step(host.AuthorizeDid{Input: in})
			}
		}
	}
	h.later(o.Within, "issuer is silent", said(host.IssuerSaid{Call: o.Call, Err: fmt.Errorf("no answer in time")}))
	if s.mishap(25) {
		return // lost on its way
	}
	delay := 20*time.Millisecond + s.soon(time.Second)
	if s.mishap(10) {
		delay += s.soon(30 * time.Second)
	}
	life := h.life
	s.after(delay, "issuer decides", func() {
		r, err := h.issuer.Authorize(s.t.Context(), o.Request)
		s.note("issuer says %s %v", r.Code, err)
		if !s.mishap(25) && h.life == life {
			h.later(s.soon(500*time.Millisecond), "issuer answers", said(host.IssuerSaid{Call: o.Call, Response: r, Err: err}))
		}
	})
}

// offer gives a reversal to the issuer, whose answer may be lost.
func (h *simHost) offer(o host.Offer) {
	s := h.s
	life := h.life
	s.after(20*time.Millisecond+s.soon(2*time.Second), "issuer reverses", func() {
		var err error
		if !s.mishap(6) {
			err = h.issuer.Reverse(s.t.Context(), o.Reversal)
		} else {
			err = fmt.Errorf("lost on its way")
		}
		if err == nil && s.mishap(6) {
			err = fmt.Errorf("its answer was lost")
		}
		if h.life == life {
			h.later(s.soon(100*time.Millisecond), "reversal offered", func() { h.step(host.AuthorizeDid{Input: host.Offered{Call: o.Call, Err: err}}) })
		}
	})
}

// The keys and names of simulated terminals and cards: test values, from nowhere.

func simBDK() []byte {
	return []byte("\xFE\xDC\xBA\x98\x76\x54\x32\x10\xF1\xF1\xF1\xF1\xF1\xF1\xF1\xF1")
}

// simScheme is the DUKPT scheme of a terminal: the second one's is the old one.
func simScheme(n int) dukpt.Scheme {
	if n == 1 {
		return dukpt.TDES
	}
	return dukpt.AES
}

// simKSN is the initial KSN of a terminal.
func simKSN(n int) dukpt.KSN {
	b := []byte{0x54, 0x4C, 0, 9, 0, 0, 0, byte(n), 0, 0, 0, 0}
	if simScheme(n) == dukpt.TDES {
		b = []byte{0xFF, 0xFF, 0x54, 0x4C, 1, 0, 0, 0x20, 0, 0}
	}
	k, err := dukpt.ParseKSN(simScheme(n), b)
	if err != nil {
		panic(err)
	}
	return k
}

// simBalance is what is on a card's account: the last card's is soon empty.
func simBalance(n int) int64 {
	if n == simTerminals-1 {
		return 350
	}
	return 1_000_000
}

func simIdentity(id string) xtls.Identity { return xtls.Identity{Terminal: id, Merchant: lab.Merchant} }

func simPrint(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

func simDay(t time.Time) emv.Day { return emv.Day{Year: t.Year(), Month: int(t.Month()), Day: t.Day()} }

// simPANs are test card numbers.
var simPANs = []string{"4761739001010010", "4761739001010119", "4111111111111111"}

func simProfile(n int) *card.Profile {
	p, err := card.Load("visa-chip")
	if err != nil {
		panic(err)
	}
	p.Apps[0].PAN = simPANs[n]
	return p
}

// describeAction names an action of a terminal for the trace, with what tells two
// runs apart.
func describeAction(a agent.Action) string {
	switch a := a.(type) {
	case agent.Send:
		return fmt.Sprintf("Send %x", sha256.Sum256(a.Body))
	case agent.Note:
		return "Note " + a.Text + fmt.Sprint(a.Fields)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", a), "core.")
}

func describeHost(a host.Action) string {
	switch a := a.(type) {
	case host.FrameOut:
		return fmt.Sprintf("FrameOut %d %x", a.Line, sha256.Sum256(a.Frame.Body))
	case host.Authorize:
		return fmt.Sprintf("Authorize %T", a.Order)
	case host.Gateway:
		return fmt.Sprintf("Gateway %T", a.Order)
	}
	return fmt.Sprintf("%T", a)
}
