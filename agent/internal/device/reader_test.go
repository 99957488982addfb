package device

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"tallystick.example/internal/reader/ccid"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// twin is the reader's end of the line: it echoes commands and answers them like
// the recorded GemPC Twin, with what a test adds.
type twin struct {
	t    *testing.T
	line *os.File
	mu   sync.Mutex
	// misbehave may answer in place of the twin; it returns false to leave it.
	misbehave func(w *twin, c ccid.Message) bool
	last      []byte // last answer, sent again on NAK
	naks      int
	commands  []ccid.Message
	present   bool
}

// start opens a line with a twin on it and a driver that runs.
func start(t *testing.T, misbehave func(w *twin, c ccid.Message) bool) (*twin, *Reader) {
	t.Helper()
	peer, tty := openPair(t)
	w := &twin{t: t, line: peer, misbehave: misbehave, present: true}
	go w.serve()
	log := logrus.New()
	log.SetOutput(io.Discard)
	r := NewReader(Line{Path: tty.Name(), Baud: 115200, TwoStops: true, LockDir: t.TempDir()}, log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		ok(t, <-done)
		_ = tty.Close()
		_ = peer.Close()
	})
	return w, r
}

// openPair opens a pseudo-terminal whose device end can be closed while it is
// being read, as an unplugged cable would be.
func openPair(t *testing.T) (peer, tty *os.File) {
	t.Helper()
	blocking, tty, err := pty.Open()
	ok(t, err)
	fd, err := unix.Dup(int(blocking.Fd()))
	ok(t, err)
	ok(t, errors.Join(unix.SetNonblock(fd, true), blocking.Close()))
	return os.NewFile(uintptr(fd), "device end"), tty
}

func (w *twin) serve() {
	var d ccid.Decoder
	buf := make([]byte, 64)
	for {
		n, err := w.line.Read(buf)
		if err != nil {
			return
		}
		for _, e := range d.Write(buf[:n]) {
			w.handle(e)
		}
	}
}

func (w *twin) handle(e ccid.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case ccid.Refused:
		w.naks++
		w.raw(w.last)
	case ccid.Frame:
		w.commands = append(w.commands, e.Message)
		w.echo(e.Message)
		if w.misbehave == nil || !w.misbehave(w, e.Message) {
			w.answer(e.Message)
		}
	}
}

func (w *twin) raw(b []byte) {
	if _, err := w.line.Write(b); err != nil && !errors.Is(err, os.ErrClosed) {
		w.t.Error(err)
	}
}

func (w *twin) echo(c ccid.Message) {
	b, err := ccid.AppendFrame(nil, c)
	if err != nil {
		w.t.Error(err)
	}
	w.raw(b)
}

// answer gives the recorded answer of the twin.
func (w *twin) answer(c ccid.Message) {
	card := ccid.CardInactive
	if !w.present {
		card = ccid.CardAbsent
	}
	m := ccid.Message{Seq: c.Seq, Params: ccid.Status(card, ccid.Done, 0, 0)}
	switch c.Type {
	case ccid.Escape:
		m.Type = ccid.EscapeAnswer
		if bytes.Equal(c.Data, firmware) {
			m.Data = []byte("GemTwin-V2.10-GV02")
		}
	case ccid.PowerOn:
		m.Type, m.Params, m.Data = ccid.DataBlock, ccid.Status(ccid.CardActive, ccid.Done, 0, 0), unhex("3b65000020056a0102")
	case ccid.SetParameters:
		m.Type, m.Data = ccid.Parameters, c.Data
	case ccid.XfrBlock:
		m.Type, m.Data = ccid.DataBlock, apduAnswer(c.Data)
		if !w.present {
			m.Params, m.Data = ccid.Status(ccid.CardAbsent, ccid.Failed, ccid.CodeMute, 0), nil
		}
	default:
		m.Type = ccid.SlotStatus
	}
	w.send(m)
}

func (w *twin) send(m ccid.Message) {
	b, err := ccid.AppendFrame(nil, m)
	if err != nil {
		w.t.Error(err)
	}
	w.last = b
	w.raw(b)
}

// apduAnswer is a card with one file: it answers SELECT with 611C and gives 28
// bytes to GET RESPONSE.
func apduAnswer(tpdu []byte) []byte {
	switch tpdu[1] {
	case 0xA4:
		return unhex("611c")
	case 0xC0:
		return append(bytes.Repeat([]byte{0x6F}, int(tpdu[4])), 0x90, 0)
	case 0xB2:
		if tpdu[4] == 0 {
			return unhex("6c05")
		}
		return unhex("01020304059000")
	}
	return unhex("6d00")
}

func ready(t *testing.T, r *Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ok(t, r.WaitCard(ctx, true))
}

// selectPSE is SELECT 1PAY.SYS.DDF01.
var selectPSE = unhex("00a404000e315041592e5359532e444446303100")

// readPSE powers the card and selects; every fault that the driver must survive
// is tried on it.
func readPSE(t *testing.T, r *Reader) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := r.PowerOn(ctx, nil)
	if err != nil {
		return nil, err
	}
	return c.Transmit(ctx, selectPSE)
}

func wantPSE(t *testing.T, r *Reader) {
	t.Helper()
	got, err := readPSE(t, r)
	ok(t, err)
	if want := append(bytes.Repeat([]byte{0x6F}, 28), 0x90, 0); !bytes.Equal(got, want) {
		t.Errorf("answer %x", got)
	}
}

// TestBytesOfTheRecordedTwin holds what the driver sends against the recording
// of the maker's own driver.
func TestBytesOfTheRecordedTwin(t *testing.T) {
	w, r := start(t, nil)
	ready(t, r)
	wantPSE(t, r)
	if r.Name() != "GemTwin-V2.10-GV02" {
		t.Errorf("firmware %q", r.Name())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	want := []struct {
		kind   ccid.Type
		params [3]byte
		data   string
	}{
		{ccid.Escape, [3]byte{}, "02"}, {ccid.Escape, [3]byte{}, "010101"}, {ccid.GetSlotStatus, [3]byte{}, ""},
		{ccid.PowerOn, [3]byte{1}, ""}, {ccid.SetParameters, [3]byte{}, "1100000a00"},
		{ccid.XfrBlock, [3]byte{}, "00a404000e315041592e5359532e4444463031"}, {ccid.XfrBlock, [3]byte{}, "00c000001c"},
	}
	if len(w.commands) != len(want) {
		t.Fatalf("%d commands", len(w.commands))
	}
	for i, c := range w.commands {
		if c.Type != want[i].kind || c.Params != want[i].params || hex.EncodeToString(c.Data) != want[i].data || c.Seq != byte(i+1) {
			t.Errorf("command %d: %+v", i, c)
		}
	}
}

func TestWrongLengthIsAskedAgain(t *testing.T) {
	_, r := start(t, nil)
	ready(t, r)
	c, err := r.PowerOn(t.Context(), nil)
	ok(t, err)
	got, err := c.Transmit(t.Context(), unhex("00b2010c00"))
	ok(t, err)
	if !bytes.Equal(got, unhex("01020304059000")) {
		t.Errorf("record %x", got)
	}
}

// onBlock runs a fault on the nth XfrBlock only.
func onBlock(nth int, fault func(w *twin, c ccid.Message) bool) func(*twin, ccid.Message) bool {
	n := 0
	return func(w *twin, c ccid.Message) bool {
		if c.Type != ccid.XfrBlock {
			return false
		}
		if n++; n != nth {
			return false
		}
		return fault(w, c)
	}
}

// answerOf is the frame that the twin would send.
func answerOf(w *twin, c ccid.Message) []byte {
	m := ccid.Message{Type: ccid.DataBlock, Seq: c.Seq, Data: apduAnswer(c.Data)}
	b, err := ccid.AppendFrame(nil, m)
	if err != nil {
		w.t.Error(err)
	}
	return b
}

func TestLineFaultsAreSurvived(t *testing.T) {
	garble := func(w *twin, c ccid.Message) []byte {
		w.last = answerOf(w, c)
		b := bytes.Clone(w.last)
		b[len(b)-1] ^= 0x55
		return b
	}
	for name, fault := range map[string]func(w *twin, c ccid.Message) bool{
		"wrong check byte": func(w *twin, c ccid.Message) bool { w.raw(garble(w, c)); return true },
		"reader says NAK":  func(w *twin, c ccid.Message) bool { w.raw(ccid.NAK()); return true },
		"answer to an older command first": func(w *twin, c ccid.Message) bool {
			late := c
			late.Seq--
			late.Data = unhex("00b2010c05")
			w.raw(answerOf(w, late))
			return false
		},
		"answered twice": func(w *twin, c ccid.Message) bool { w.raw(answerOf(w, c)); return false },
		"noise first":    func(w *twin, c ccid.Message) bool { w.raw(unhex("00112233445566")); return false },
		"card event in between": func(w *twin, c ccid.Message) bool {
			w.raw(ccid.Notification(true))
			return false
		},
		"card asks for time": func(w *twin, c ccid.Message) bool { w.raw(unhex("aa9d")); return false },
		"byte by byte": func(w *twin, c ccid.Message) bool {
			for _, b := range answerOf(w, c) {
				w.raw([]byte{b})
				time.Sleep(time.Millisecond)
			}
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, r := start(t, onBlock(1, fault))
			ready(t, r)
			wantPSE(t, r)
		})
	}
}

func TestThreeRepetitionsThenNoMore(t *testing.T) {
	w, r := start(t, func(w *twin, c ccid.Message) bool {
		if c.Type != ccid.XfrBlock {
			return false
		}
		w.last = unhex("03068000000000000000000000") // a wrong check byte for ever
		w.raw(w.last)
		return true
	})
	ready(t, r)
	if _, err := readPSE(t, r); !errors.Is(err, ErrGarbled) {
		t.Fatalf("%v, want ErrGarbled", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.naks != resends {
		t.Errorf("asked %d times again, want %d", w.naks, resends)
	}
	blocks := 0
	for _, c := range w.commands {
		if c.Type == ccid.XfrBlock {
			blocks++
		}
	}
	if blocks != 1 {
		t.Errorf("the card's command was sent %d times: the card would act on each", blocks)
	}
}

func TestReaderThatRefusesForEver(t *testing.T) {
	_, r := start(t, func(w *twin, c ccid.Message) bool {
		if c.Type == ccid.XfrBlock {
			w.raw(ccid.NAK())
			return true
		}
		return false
	})
	ready(t, r)
	if _, err := readPSE(t, r); !errors.Is(err, ErrGarbled) {
		t.Errorf("%v, want ErrGarbled", err)
	}
}

func TestCardEvents(t *testing.T) {
	w, r := start(t, nil)
	ready(t, r)
	c, err := r.PowerOn(t.Context(), nil)
	ok(t, err)
	w.mu.Lock()
	w.present = false
	w.raw(ccid.Notification(false))
	w.mu.Unlock()
	ok(t, r.WaitCard(t.Context(), false))
	if _, err := c.Transmit(t.Context(), selectPSE); !errors.Is(err, ErrCardRemoved) {
		t.Errorf("a command to a card that is gone: %v", err)
	}
	ok(t, c.PowerOff(t.Context()))
	w.mu.Lock()
	w.present = true
	w.raw(ccid.Notification(true))
	w.mu.Unlock()
	ok(t, r.WaitCard(t.Context(), true))
	wantPSE(t, r)
}

func TestATRThatIsRefusedGetsAWarmReset(t *testing.T) {
	n := 0
	w, r := start(t, func(w *twin, c ccid.Message) bool {
		if c.Type != ccid.PowerOn {
			return false
		}
		if n++; n > 1 {
			return false
		}
		w.send(ccid.Message{Type: ccid.DataBlock, Seq: c.Seq, Data: unhex("3b00")})
		return true
	})
	ready(t, r)
	wantPSE(t, r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if n != 2 {
		t.Errorf("%d resets, want a cold and a warm one", n)
	}
}

func TestUnpluggedReaderComesBack(t *testing.T) {
	w, r := start(t, nil)
	ready(t, r)
	ok(t, w.line.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ok(t, r.WaitCard(ctx, false))
	if r.Ready() {
		t.Error("an unplugged reader is ready")
	}
	if _, err := r.PowerOn(ctx, nil); !errors.Is(err, ErrReaderDown) {
		t.Errorf("%v, want ErrReaderDown", err)
	}
}
