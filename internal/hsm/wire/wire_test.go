package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/secret"
)

// samples holds one full message of every kind, packed, with a function that
// decodes it and packs it again.
func samples(t testing.TB) map[string]sample {
	set := api.KeySet{Scheme: api.SchemeAES, ID: []byte("12345678"), BDK: "D0112", PIN: true, MAC: true}
	card := api.Card{Lookup: [32]byte{1}, NewToken: "TABC", NewSealed: []byte{1, 2}, BIN: "49290000", LastFour: "0006",
		Expiry: "2912", PSN: "01", ServiceCode: "201"}
	k := api.Key{Block: "D0112", KCV: "0011223344", Spec: api.KeySpec{Usage: "B0", Algorithm: "A", Mode: "X", Bytes: 16}, Test: true}
	s := secret.New([]byte("0123456789"))
	return map[string]sample{
		"hello":        of(t, Greet.Req, Hello{Magic: Magic, Min: 1, Max: 3}),
		"welcome":      of(t, Greet.Res, Welcome{Version: 1, Administration: true}),
		"open":         of(t, Open.Req, api.OpenRequest{Message: []byte("0200"), KeySets: []api.KeySet{set, set}}),
		"opened":       of(t, Open.Res, api.Opened{MAC: api.MACValid, Handle: 7, SetID: []byte("1"), Counter: 9, HasCard: true, Card: card}),
		"verify":       of(t, Verify.Req, api.VerifyRequest{Handle: 7, Reference: []byte{1}, IMK: "D", PIN: true, CardCode: true}),
		"verdict":      of(t, Verify.Res, api.Verdict{PIN: api.PINBlocked, Cryptogram: api.CryptogramRight, CardCode: api.CardCodeNone, ReferenceOK: true}),
		"seal":         of(t, Seal.Req, api.SealRequest{Handle: 7, Answer: []byte("0210"), ARC: "00"}),
		"sealed":       of(t, Seal.Res, api.Sealed{Answer: []byte("0210"), IssuerAuthData: []byte{1}}),
		"release":      of(t, Release.Req, api.Handle(1)),
		"sign":         of(t, SignCheckpoint.Req, CheckpointRequest{Node: "n1", Boot: 1, Count: 2}),
		"checkpoint":   of(t, SignCheckpoint.Res, api.Checkpoint{Node: "n1", Boot: 1, Count: 2, Signature: make([]byte, 64)}),
		"reseal":       of(t, Reseal.Req, ResealRequest{Token: "T", Sealed: []byte{1}}),
		"resealed":     of(t, Reseal.Res, []byte{1, 2, 3}),
		"info":         of(t, Info.Res, api.Info{Version: "1", Lab: true, LMKCheck: "00", CheckpointKey: make([]byte, 32), Driver: "soft"}),
		"generate":     of(t, GenerateKey.Req, k.Spec),
		"key":          of(t, GenerateKey.Res, k),
		"import":       of(t, ImportClear.Req, api.ImportClear{Spec: k.Spec, Key: s}),
		"transport":    of(t, NewTransport.Res, api.Transport{Key: k, Components: [2]secret.Secret{s, s}}),
		"initial":      of(t, InitialKey.Req, api.InitialKeyRequest{Set: set, Transport: "D"}),
		"exported":     of(t, InitialKey.Res, api.Exported{Block: "D", KCV: "00"}),
		"import block": of(t, ImportBlock.Req, ImportBlockRequest{Transport: "D", Block: "E"}),
		"rotated":      of(t, RotateSealing.Res, uint32(2)),
		"clear":        of(t, ClearPINBrake.Req, [32]byte{9}),
		"personalize": of(t, Personalize.Req, api.Personalize{PAN: s, PIN: s, PSN: "01", Expiry: "2912", Profile: "visa_cvn18",
			PVK: "D", CodeAt: 5}),
		"personalized": of(t, Personalize.Res, api.Personalized{Card: card, Reference: []byte{1}}),
		"unlock":       of(t, Unlock.Req, UnlockRequest{Component: s}),
		"unlocked":     of(t, Unlock.Res, Unlocked{Check: "00", Missing: 1}),
	}
}

type sample struct {
	packed []byte
	again  func([]byte) ([]byte, error)
	shown  string
}

func of[T any](t testing.TB, k Kind[T], v T) sample {
	t.Helper()
	b, err := k.Append(nil, v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	return sample{packed: b, shown: fmt.Sprintf("%+v", v), again: func(in []byte) ([]byte, error) {
		d, err := k.Decode(in)
		if err != nil {
			return nil, err
		}
		return k.Append(nil, d)
	}}
}

func TestEveryMessageSurvivesAndIsStrict(t *testing.T) {
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			if out, err := s.again(s.packed); err != nil || !bytes.Equal(out, s.packed) {
				t.Fatalf("%x came back as %x, %v", s.packed, out, err)
			}
			for n := range s.packed {
				if _, err := s.again(s.packed[:n]); !errors.Is(err, ErrFrame) {
					t.Errorf("cut to %d of %d bytes: %v", n, len(s.packed), err)
				}
			}
			if _, err := s.again(append(bytes.Clone(s.packed), 0)); !errors.Is(err, ErrFrame) {
				t.Errorf("one byte more: %v", err)
			}
			if strings.Contains(s.shown, "0123456789") {
				t.Errorf("printing shows a secret: %s", s.shown)
			}
		})
	}
}

func TestLimitsHoldOnBothSides(t *testing.T) {
	if _, err := Open.Req.Append(nil, api.OpenRequest{Message: make([]byte, maxMessage+1)}); !errors.Is(err, ErrFrame) {
		t.Errorf("long message: %v", err)
	}
	set := api.KeySet{Scheme: api.SchemeTDES}
	if _, err := Open.Req.Append(nil, api.OpenRequest{KeySets: []api.KeySet{set, set, set, set, set, set, set, set, set}}); !errors.Is(err, ErrFrame) {
		t.Errorf("nine key sets: %v", err)
	}
	if _, err := Verify.Res.Append(nil, api.Verdict{PIN: "maybe", Cryptogram: api.CryptogramNone, CardCode: api.CardCodeNone}); !errors.Is(err, ErrFrame) {
		t.Errorf("unknown verdict: %v", err)
	}
	b, err := Verify.Res.Append(nil, api.Verdict{PIN: api.PINNone, Cryptogram: api.CryptogramNone, CardCode: api.CardCodeNone})
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] = 2
	if _, err := Verify.Res.Decode(b); !errors.Is(err, ErrFrame) {
		t.Errorf("flag of 2: %v", err)
	}
}

func TestFrames(t *testing.T) {
	var buf bytes.Buffer
	payload := []byte("payload")
	for _, f := range []Frame{{Op: 1, ID: 1 << 60, Payload: payload}, {Op: 2, Answer: true, ID: 3}} {
		if err := WriteFrame(&buf, f); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFrame(&buf)
		if err != nil || got.Op != f.Op || got.Answer != f.Answer || got.ID != f.ID || !bytes.Equal(got.Payload, f.Payload) {
			t.Errorf("%+v came back as %+v, %v", f, got, err)
		}
		got.Wipe()
		if bytes.ContainsAny(got.Payload, "payload") {
			t.Error("Wipe left the payload")
		}
	}
	if err := WriteFrame(&buf, Frame{Op: 1, Payload: make([]byte, MaxFrame)}); !errors.Is(err, ErrFrame) {
		t.Errorf("long frame: %v", err)
	}
	if _, err := ReadFrame(&buf); !errors.Is(err, io.EOF) {
		t.Errorf("empty stream: %v", err)
	}
	if _, err := ReadFrame(bytes.NewReader(make([]byte, 5))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a header: %v", err)
	}
	huge := binary.BigEndian.AppendUint32(nil, 1<<31)
	if _, err := ReadFrame(bytes.NewReader(append(huge, make([]byte, 9)...))); !errors.Is(err, ErrFrame) {
		t.Errorf("huge length: %v", err)
	}
}

func TestStatuses(t *testing.T) {
	for _, err := range []error{nil, api.ErrUnavailable, api.ErrHandle, api.ErrKey, api.ErrInput, api.ErrPolicy} {
		if got := StatusOf(err).Err(); !errors.Is(got, err) {
			t.Errorf("%v travelled as %v", err, got)
		}
	}
	if StatusOf(io.EOF) != Unavailable || !errors.Is(Status(77).Err(), ErrFrame) {
		t.Error("unknown error or status")
	}
	if !errors.Is(StatusOf(fmt.Errorf("opening: %w", api.ErrKey)).Err(), api.ErrKey) {
		t.Error("wrapped error")
	}
}

// FuzzMessages holds every decoder to: no panic, and what was accepted packs to
// the bytes that came.
func FuzzMessages(f *testing.F) {
	all := samples(f)
	for _, s := range all {
		f.Add(s.packed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for name, s := range all {
			if out, err := s.again(in); err == nil && !bytes.Equal(out, in) {
				t.Errorf("%s: %x packs to %x", name, in, out)
			}
		}
	})
}

// FuzzReadFrame holds the framing to: no panic, no allocation above the limit.
func FuzzReadFrame(f *testing.F) {
	var buf bytes.Buffer
	if err := WriteFrame(&buf, Frame{Op: 1, ID: 2, Payload: []byte("x")}); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		fr, err := ReadFrame(bytes.NewReader(in))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteFrame(&out, fr); err != nil || !bytes.HasPrefix(in, out.Bytes()) {
			t.Errorf("%x was written as %x, %v", in, out.Bytes(), err)
		}
	})
}
