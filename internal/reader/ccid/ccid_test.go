package ccid

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/testvectors/vectortest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "reader_ccid") {
		t.Run(v.Name, func(t *testing.T) {
			if v.Op == "reader.ccid.frame" {
				frame, err := AppendFrame(nil, Message{
					Type: Type(v.Hex("type")[0]), Slot: byte(v.Int("slot")), Seq: byte(v.Int("sequence")),
					Params: [3]byte(v.Hex("parameters")), Data: v.Hex("data"),
				})
				v.Check(t, "frame", frame, err)
				return
			}
			m, err := ParseFrame(v.Hex("frame"))
			v.Check(t, "type", []byte{byte(m.Type)}, err)
			v.Check(t, "slot", int(m.Slot), err)
			v.Check(t, "sequence", int(m.Seq), err)
			v.Check(t, "parameters", m.Params[:], err)
			v.Check(t, "data", m.Data, err)
		})
	}
}

// TestDecoderCapture reads what a GemPC Twin sends, byte by byte: echoes,
// answers, a card that comes, and requests for time.
func TestDecoderCapture(t *testing.T) {
	line := unhex(t, "03066b010000000000000000026d"+ // echo: get firmware
		"03068312000000000001000047656d5477696e2d56322e31302d47563032a6"+
		"5003"+"9d"+"aa"+"03068100000000000201000087"+"031516"+"5002")
	var d Decoder
	var got []Event
	for _, b := range line {
		got = append(got, d.Write([]byte{b})...)
	}
	kinds := []Kind{Frame, Frame, Inserted, TimeRequest, TimeRequest, Frame, Refused, Removed}
	if len(got) != len(kinds) || d.Skipped() != 0 || d.Partial() {
		t.Fatalf("got %d events, %d bytes skipped", len(got), d.Skipped())
	}
	for i, k := range kinds {
		if got[i].Kind != k {
			t.Errorf("event %d is %v, want %v", i, got[i].Kind, k)
		}
	}
	if !got[0].Message.Type.IsCommand() || got[1].Message.Type != EscapeAnswer || string(got[1].Message.Data) != "GemTwin-V2.10-GV02" {
		t.Errorf("firmware: %+v", got[1].Message)
	}
	status := got[5].Message
	if status.Card() != CardInactive || status.Outcome() != Done || status.Err() != nil || !status.Answers(Command(GetSlotStatus, 2, [3]byte{}, nil)) {
		t.Errorf("status: %+v", status)
	}
}

// TestDecoderResync: after any damage to a frame, the frame after the next
// pause is read. An altered byte is never taken for a message; for a lost one
// the check byte is a chance of 1 in 256.
func TestDecoderResync(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapidMessage(t, "first")
		frame, err := AppendFrame(nil, first)
		if err != nil {
			t.Fatal(err)
		}
		next := Command(GetSlotStatus, 77, [3]byte{}, nil)
		good, _ := AppendFrame(nil, next)
		at := rapid.IntRange(0, len(frame)-1).Draw(t, "at")
		var damaged []byte
		if rapid.Bool().Draw(t, "lost") {
			damaged = append(append(damaged, frame[:at]...), frame[at+1:]...)
		} else {
			damaged = append(damaged, frame...)
			damaged[at] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
		}
		var d Decoder
		for _, e := range d.Write(damaged) {
			if e.Kind == Frame && len(damaged) == len(frame) {
				t.Fatalf("damage was read as %+v", e.Message)
			}
		}
		d.Reset()
		events := d.Write(good)
		if len(events) != 1 || events[0].Kind != Frame || events[0].Message.Seq != 77 {
			t.Fatalf("after the pause: %+v", events)
		}
	})
}

// TestDecoderKeepsTheNextFrame: a byte lost in one frame does not cost the one
// that follows without a pause.
func TestDecoderKeepsTheNextFrame(t *testing.T) {
	lost := unhex(t, "0306800900000000150000003B65000020056A018B") // one data byte is missing
	next := unhex(t, "03066200000000001501000073")
	var d Decoder
	events := d.Write(append(lost, next...))
	if len(events) != 2 || events[0].Kind != Broken || events[1].Kind != Frame || events[1].Message.Type != PowerOn {
		t.Fatalf("got %+v", events)
	}
}

func TestDecoderRefusesLengths(t *testing.T) {
	var d Decoder
	events := d.Write(unhex(t, "03066F06010000"))
	if len(events) != 1 || events[0].Kind != Broken {
		t.Fatalf("262 bytes: %+v", events)
	}
	if _, err := AppendFrame(nil, Message{Data: make([]byte, MaxData+1)}); !errors.Is(err, ErrData) {
		t.Errorf("too long: %v, want ErrData", err)
	}
	frame, err := AppendFrame(nil, Message{Data: make([]byte, MaxData)})
	if err != nil || len(frame) != MaxFrame {
		t.Errorf("longest: %d bytes, %v", len(frame), err)
	}
	for _, s := range []string{"", "03", "0306", "0316620000000000150100", "03066200000000001501000073FF"} {
		if _, err := ParseFrame(unhex(t, s)); !errors.Is(err, ErrFrame) {
			t.Errorf("%q: %v, want ErrFrame", s, err)
		}
	}
}

func TestAnswerErrors(t *testing.T) {
	m := Message{Type: DataBlock, Params: Status(CardInactive, Failed, CodeMute, 0)}
	var failed *FailedError
	if !errors.As(m.Err(), &failed) || failed.Code != CodeMute || failed.Error() != "ccid: the card does not answer" {
		t.Errorf("mute: %v", m.Err())
	}
	m.Params = Status(CardAbsent, Failed, CodeMute, 0)
	if m.Err() == nil || m.Err().Error() != "ccid: no card in the reader" {
		t.Errorf("absent: %v", m.Err())
	}
	m.Params = Status(CardActive, MoreTime, 3, 0)
	if m.Err() != nil || m.Outcome() != MoreTime {
		t.Errorf("time: %v", m.Err())
	}
	if got := ParametersT0(0x11, 0, 0x0A, false); !bytes.Equal(got, unhex(t, "1100000A00")) {
		t.Errorf("T=0 parameters %X", got)
	}
	if got := ParametersT1(0x11, 0, 0x45, 0xFE, false); !bytes.Equal(got, unhex(t, "1110004500FE00")) {
		t.Errorf("T=1 parameters %X", got)
	}
}

func rapidMessage(t *rapid.T, label string) Message {
	types := []Type{PowerOn, PowerOff, GetSlotStatus, XfrBlock, SetParameters, DataBlock, SlotStatus, Parameters}
	return Message{
		Type: rapid.SampledFrom(types).Draw(t, label+" type"), Seq: rapid.Byte().Draw(t, label+" seq"),
		Params: Status(CardActive, Done, 0, 0), Data: rapid.SliceOfN(rapid.ByteRange(0x10, 0x4F), 0, MaxData).Draw(t, label+" data"),
	}
}

// FuzzDecoder: any bytes, in any division, give the same events and no more
// memory than one frame; what was read as a message packs to a frame again.
func FuzzDecoder(f *testing.F) {
	vectortest.Seed(f, "reader_ccid")
	f.Add(unhex(f, "50030306810000000000020100008703151650029d"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, single Decoder
		a := whole.Write(in)
		var b []Event
		for _, c := range in {
			b = append(b, single.Write([]byte{c})...)
			if len(single.buf) > MaxFrame {
				t.Fatalf("%d bytes kept", len(single.buf))
			}
		}
		if len(a) != len(b) {
			t.Fatalf("%d events at once, %d one by one", len(a), len(b))
		}
		for i := range a {
			if a[i].Kind != b[i].Kind {
				t.Fatalf("event %d differs", i)
			}
			if a[i].Kind != Frame {
				continue
			}
			frame, err := AppendFrame(nil, a[i].Message)
			if err != nil || !bytes.Contains(in, frame) {
				t.Fatalf("message %+v does not pack to what came: %v", a[i].Message, err)
			}
		}
	})
}
