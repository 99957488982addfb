package reader

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tallystick.example/emv/transport"
	"tallystick.example/internal/control"
	"tallystick.example/internal/reader/ccid"
	"tallystick.example/simulator/card"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// buffer is an output that a test may read while the command writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs "simulator reader ccid" with args and returns the host's end of its
// line, its control socket and its output.
func start(t *testing.T, args ...string) (*host, string, *buffer) {
	t.Helper()
	dir := t.TempDir()
	link, socket := filepath.Join(dir, "tty"), filepath.Join(dir, "control")
	c := Command()
	out := &buffer{}
	c.SetOut(out)
	c.SetErr(out)
	c.SetArgs(append([]string{"ccid", "--link", link, "--control", socket}, args...))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.ExecuteContext(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the reader ended with %v\n%s", err, out)
		}
		if _, err := os.Lstat(link); !os.IsNotExist(err) {
			t.Error("the link is still there")
		}
	})
	for !strings.Contains(out.String(), "reader is ready") {
		select {
		case err := <-done:
			t.Fatalf("the reader ended with %v\n%s", err, out)
		case <-time.After(time.Millisecond):
		}
	}
	f, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &host{t: t, f: f, echo: true}, socket, out
}

// host is a driver that the test plays by hand.
type host struct {
	t       *testing.T
	f       *os.File
	echo    bool
	decoder ccid.Decoder
	events  []ccid.Event
	seq     byte
}

// next is the next event on the line.
func (h *host) next() ccid.Event {
	h.t.Helper()
	buf := make([]byte, 64)
	for len(h.events) == 0 {
		n, err := h.f.Read(buf)
		if err != nil {
			h.t.Fatal(err)
		}
		h.events = h.decoder.Write(buf[:n])
	}
	e := h.events[0]
	h.events = h.events[1:]
	return e
}

// ask sends a command and returns its answer, the kinds of events before it on
// the way.
func (h *host) ask(kind ccid.Type, params [3]byte, data []byte) (ccid.Message, []ccid.Kind) {
	h.t.Helper()
	h.seq++
	c := ccid.Command(kind, h.seq, params, data)
	frame, err := ccid.AppendFrame(nil, c)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.f.Write(frame); err != nil {
		h.t.Fatal(err)
	}
	if h.echo {
		if e := h.next(); e.Kind != ccid.Frame || e.Message.Type != kind || !bytes.Equal(e.Message.Data, data) {
			h.t.Fatalf("no echo but %+v", e)
		}
	}
	var before []ccid.Kind
	for {
		e := h.next()
		if e.Kind == ccid.Frame {
			if !e.Message.Answers(c) {
				h.t.Fatalf("answer %+v to %+v", e.Message, c)
			}
			return e.Message, before
		}
		before = append(before, e.Kind)
	}
}

// apdu carries a command through the reader as an agent does.
func (h *host) apdu(apdu string) transport.Response {
	h.t.Helper()
	x, err := transport.NewExchange(unhex(h.t, apdu), transport.LevelTPDU)
	if err != nil {
		h.t.Fatal(err)
	}
	for out := x.Send(); out != nil; out = x.Send() {
		m, _ := h.ask(ccid.XfrBlock, [3]byte{}, out)
		if m.Err() != nil {
			h.t.Fatal(m.Err())
		}
		if err := x.Receive(m.Data); err != nil {
			h.t.Fatal(err)
		}
	}
	r, _ := x.Response()
	return r
}

// payment is one transaction written out by hand; a "*" in an answer stands for
// anything.
var payment = []struct{ command, answer string }{
	{"00A404000E315041592E5359532E444446303100", "6F1A840E315041592E5359532E4444463031A5088801015F2D02656E 9000"},
	{"00B2010C00", "70*4F07A0000000031010*9000"},
	{"00B2020C00", "6A83"},
	{"00A4040007A000000003101000", "6F*8407A0000000031010A5*9000"},
	{"80A8000002830000", "800E3D00 08010100 10010303 18010300 9000"},
	{"00B2010C00", "70*57*9000"},
	{"00B2011400", "70*5A08*9000"},
	{"00B2021C00", "7081FB9081F8*9000"},
	{"0088000004DEADBEEF00", "808190*9000"},
	{"80AE80001E 000000001234 000000000000 0840 8000048000 0840 261122 00 01020304 22 00", "8012800001*06011203A01000 9000"},
	{"008200000A 0000000000000000 3030", "6300"},
	{"80AE400020 3030 000000001234 000000000000 0840 8000048000 0840 261122 00 01020304 22 00", "8012000001*06011203*9000"},
}

func matches(pattern, got string) bool {
	parts := strings.Split(strings.ReplaceAll(pattern, " ", ""), "*")
	if !strings.HasPrefix(got, parts[0]) || !strings.HasSuffix(got, parts[len(parts)-1]) {
		return false
	}
	for _, p := range parts {
		at := strings.Index(got, p)
		if at < 0 {
			return false
		}
		got = got[at+len(p):]
	}
	return true
}

func TestPaymentOverLine(t *testing.T) {
	log := filepath.Join(t.TempDir(), "frames")
	h, _, _ := start(t, "--card", "visa-chip", "--waits", "2", "--log", log)
	if m, _ := h.ask(ccid.Escape, [3]byte{}, []byte{2}); string(m.Data) != firmware {
		t.Errorf("firmware %q", m.Data)
	}
	if m, _ := h.ask(ccid.GetSlotStatus, [3]byte{}, nil); m.Card() != ccid.CardInactive {
		t.Errorf("card state %v, want present without power", m.Card())
	}
	if m, _ := h.ask(ccid.XfrBlock, [3]byte{}, unhex(t, "00A4040000")); m.Err() == nil {
		t.Error("a card without power answered")
	}
	atr, _ := h.ask(ccid.PowerOn, [3]byte{1}, nil)
	if parsed, err := transport.ParseATR(atr.Data); err != nil || atr.Card() != ccid.CardActive {
		t.Errorf("answer to reset %X: %v %v", atr.Data, parsed, err)
	}
	if m, _ := h.ask(ccid.SetParameters, [3]byte{0}, unhex(t, "1100000A00")); m.Err() != nil || !bytes.Equal(m.Data, unhex(t, "1100000A00")) {
		t.Errorf("parameters %X, %v", m.Data, m.Err())
	}
	if m, _ := h.ask(ccid.SetParameters, [3]byte{1}, unhex(t, "1110004500FE00")); m.Err() == nil {
		t.Error("parameters of T=1 were taken for a T=0 card")
	}
	if _, before := h.ask(ccid.XfrBlock, [3]byte{}, unhex(t, "00B2010C00")); len(before) != 2 || before[0] != ccid.TimeRequest {
		t.Errorf("before the answer came %v, want two requests for time", before)
	}
	for _, step := range payment {
		r := h.apdu(strings.ReplaceAll(step.command, " ", ""))
		if got := strings.ToUpper(hex.EncodeToString(r.Bytes())); !matches(step.answer, got) {
			t.Errorf("%s answered %s, want %s", step.command, got, step.answer)
		}
	}
	if m, _ := h.ask(ccid.PowerOff, [3]byte{}, nil); m.Card() != ccid.CardInactive {
		t.Errorf("card state %v after power off", m.Card())
	}
	if m, _ := h.ask(ccid.Type(0x77), [3]byte{}, nil); m.Err() == nil {
		t.Error("an unknown command was done")
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"type":"6F"`) || strings.Contains(string(b), "4761739001010010") || strings.Contains(string(b), "73900101") {
		t.Errorf("the log lacks frames or shows a PAN:\n%s", b)
	}
}

func TestCardMoves(t *testing.T) {
	h, socket, _ := start(t, "--absent")
	call := func(command string, present bool) {
		t.Helper()
		var s state
		if err := control.Call(t.Context(), socket, command, nil, nil, &s); err != nil || s.Present != present {
			t.Fatalf("%s: %+v, %v", command, s, err)
		}
	}
	if m, _ := h.ask(ccid.PowerOn, [3]byte{}, nil); m.Card() != ccid.CardAbsent || m.Err() == nil {
		t.Errorf("power without a card: %v, %v", m.Card(), m.Err())
	}
	call("insert", true)
	if e := h.next(); e.Kind != ccid.Inserted {
		t.Errorf("got %+v, want the notification", e)
	}
	if m, _ := h.ask(ccid.PowerOn, [3]byte{}, nil); m.Err() != nil {
		t.Error(m.Err())
	}
	call("remove", false)
	if e := h.next(); e.Kind != ccid.Removed {
		t.Errorf("got %+v, want the notification", e)
	}
	if m, _ := h.ask(ccid.XfrBlock, [3]byte{}, unhex(t, "00B2010C00")); m.Card() != ccid.CardAbsent || m.Err() == nil {
		t.Errorf("a card that is gone: %v, %v", m.Card(), m.Err())
	}
	if m, _ := h.ask(ccid.Escape, [3]byte{}, []byte{1, 1, 1}); m.Err() != nil {
		t.Error(m.Err())
	}
	call("insert", true)
	if _, before := h.ask(ccid.GetSlotStatus, [3]byte{}, nil); len(before) != 1 || before[0] != ccid.Inserted {
		t.Errorf("between command and answer came %v, want the notification", before)
	}
	call("status", true)
	if err := control.Call(t.Context(), socket, "dance", nil, nil, nil); err == nil {
		t.Error("an unknown command was done")
	}
}

func TestBadLine(t *testing.T) {
	h, _, _ := start(t)
	if _, err := h.f.Write(unhex(t, "FFFF03066500000000000900000068")); err != nil { // wrong check byte
		t.Fatal(err)
	}
	if e := h.next(); e.Kind != ccid.Refused {
		t.Fatalf("got %+v, want NAK", e)
	}
	first, _ := h.ask(ccid.GetSlotStatus, [3]byte{}, nil)
	if _, err := h.f.Write(ccid.NAK()); err != nil {
		t.Fatal(err)
	}
	if e := h.next(); e.Kind != ccid.Frame || e.Message.Seq != first.Seq {
		t.Errorf("got %+v, want the last answer again", e)
	}
}

func TestServedCardOverLine(t *testing.T) {
	c, err := card.Open("mchip-chip", "", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "card")
	l, err := card.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- card.Serve(ctx, l, card.NewSlot(c)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	h, _, _ := start(t, "--card", "unix:"+path, "--protocol", "t1")
	atr, _ := h.ask(ccid.PowerOn, [3]byte{}, nil)
	parsed, err := transport.ParseATR(atr.Data)
	if err != nil {
		t.Fatal(err)
	}
	params, err := parsed.CheckEMV(transport.ColdReset)
	if err != nil || params.Protocol != 1 {
		t.Fatalf("%+v, %v", params, err)
	}
	m := transport.NewT1(params.IFSC)
	if err := m.Begin(unhex(t, "00A4040007A000000004101000")); err != nil {
		t.Fatal(err)
	}
	for out := m.Send(); out != nil; out = m.Send() {
		answer, _ := h.ask(ccid.XfrBlock, [3]byte{}, out)
		if err := m.Receive(answer.Data); err != nil {
			t.Fatal(err)
		}
	}
	if r, ok := m.Response(); !ok || r.SW != 0x9000 {
		t.Errorf("SELECT answered %+v", r)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"ccid"}, {"ccid", "--link", "/tmp/x", "--protocol", "t2"}, {"ccid", "--link", "/tmp/x", "--waits", "101"},
		{"ccid", "--link", "/tmp/x", "--card", "no-such-card"}, {"ccid", "--link", "/tmp/x", "--card", "unix:/x", "--state", "y"}, {},
	} {
		c := Command()
		c.SetArgs(args)
		c.SetOut(io.Discard)
		c.SetErr(io.Discard)
		c.SilenceErrors, c.SilenceUsage = true, true
		if err := c.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
