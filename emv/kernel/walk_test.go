package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
)

// A rogueCard mostly does what a card should, and else answers whatever it
// likes. Its moods come from one seed: single draws of rapid prefer small
// numbers, which would make it rogue all the time.
type rogueCard struct {
	*testCard
	mood     *rand.Rand
	rogue    int // of a thousand answers, how many are not what they should be
	commands int
	lastAC   []byte // answer to the last GENERATE AC
	askedAC  emv.Cryptogram
}

func (c *rogueCard) Transmit(ctx context.Context, capdu []byte) ([]byte, error) {
	c.commands++
	answer, err := c.testCard.Transmit(ctx, capdu)
	if c.mood.IntN(1000) < c.rogue {
		answer, err = c.misbehave(answer)
	}
	if capdu[1] == 0xAE {
		c.askedAC, c.lastAC = emv.Cryptogram(capdu[2]&0xC0), nil
		if err == nil {
			c.lastAC = answer
		}
	}
	return answer, err
}

// misbehave is an answer in place of the right one.
func (c *rogueCard) misbehave(answer []byte) ([]byte, error) {
	answer = bytes.Clone(answer)
	switch c.mood.IntN(6) {
	case 0:
		return nil, errors.New("card pulled")
	case 1:
		noise := make([]byte, c.mood.IntN(300))
		for i := range noise {
			noise[i] = byte(c.mood.Uint32())
		}
		return noise, nil
	case 2:
		sws := []string{"6283", "6300", "63C1", "6983", "6985", "6A81", "6A82", "6A83", "6D00", "9000"}
		return unhex(sws[c.mood.IntN(len(sws))]), nil
	case 3:
		return ok(answer), nil // another 9000 behind the first
	case 4:
		cids := []byte{0x00, 0x40, 0x80, 0xC0}
		if i := bytes.Index(answer, unhex("9F2701")); i > 0 { // another cryptogram
			answer[i+3] = cids[c.mood.IntN(len(cids))]
		}
		return answer, nil
	}
	answer[c.mood.IntN(len(answer))] ^= byte(c.mood.Uint32())
	return answer, nil
}

// approves reads the last answer to GENERATE AC without the kernel: whether it
// is a TC that was asked for.
func (c *rogueCard) approves() bool {
	s := fmt.Sprintf("%X", c.lastAC)
	if !strings.HasSuffix(s, "9000") || c.askedAC != emv.TC {
		return false
	}
	i := strings.Index(s, "9F2701")
	format1 := strings.HasPrefix(s, "80") && len(s) > 6 && s[4]|1 == '5' // 4x or 5x
	return format1 || i > 0 && len(s) > i+8 && (s[i+6] >= '4' && s[i+6] <= '7')
}

// TestWalks runs transactions with rogue cards, hosts and cardholders: no panic,
// no end to be waited for, and no approval but with a TC that was asked for.
func TestWalks(t *testing.T) {
	approvals := 0
	rapid.Check(t, func(rt *rapid.T) {
		card := &rogueCard{testCard: newCard(), mood: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)),
			rogue: rapid.SampledFrom([]int{0, 20, 100, 300}).Draw(rt, "rogue")}
		card.first = rapid.SampledFrom([]emv.Cryptogram{emv.TC, emv.ARQC, emv.AAC}).Draw(rt, "first")
		card.second = rapid.SampledFrom([]emv.Cryptogram{emv.TC, emv.TC, emv.AAC}).Draw(rt, "second")
		ask := kernel.Callbacks{OfflinePIN: func(context.Context, kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
			status := rapid.SampledFrom([]kernel.PINStatus{kernel.PINEntered, kernel.PINEntered, kernel.PINBypassed, kernel.PINPadFault}).Draw(rt, "PIN")
			return status, secret.New([]byte("1234")), nil
		}}
		cfg, tx := testConfig(), testTransaction()
		tx.Amount = rapid.Int64Range(0, 9000).Draw(rt, "amount")
		if rapid.Bool().Draw(rt, "quiet terminal") {
			cfg.Applications[0].TAC = kernel.ActionCodes{}
		}
		o := walk(rt, card, cfg, ask, tx)
		if o != nil && o.Result == kernel.Approved {
			approvals++
			if !card.approves() || o.Cryptogram != emv.TC || o.Reversal {
				rt.Fatalf("approved with %X after asking for %v: %+v", card.lastAC, card.askedAC, o)
			}
		}
		if card.commands > 300 {
			rt.Fatalf("%d commands", card.commands)
		}
	})
	if approvals == 0 {
		t.Error("no walk ended approved: the rogue is too wild to prove anything")
	}
}

// walk is one transaction; nil when it ended without outcome.
func walk(rt *rapid.T, card *rogueCard, cfg *kernel.Config, ask kernel.Callbacks, tx kernel.Transaction) *kernel.Outcome {
	ctx := context.Background()
	s, err := kernel.Select(ctx, card, cfg, ask)
	if err != nil {
		return nil
	}
	defer s.Close()
	r, err := s.First(ctx, tx)
	if err != nil {
		return nil
	}
	if r.Outcome != nil {
		return r.Outcome
	}
	a := kernel.Answer{
		Route:    rapid.SampledFrom([]kernel.Route{kernel.Answered, kernel.Answered, kernel.Unsent, kernel.NoAnswer}).Draw(rt, "route"),
		Approved: rapid.Bool().Draw(rt, "approved"),
		ARC:      rapid.SampledFrom([]string{"00", "05", "", "xyz"}).Draw(rt, "arc"),
	}
	if rapid.Bool().Draw(rt, "objects") {
		a.Objects = append(objects("91", "A584F94900820000"), script("71", "00000001", "8418000000")...)
	} else {
		a.Objects = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "issuer noise")
	}
	o := s.Second(ctx, a)
	mayStand := a.Route == kernel.Answered && a.Approved
	if o.Reversal != (a.Route == kernel.NoAnswer || mayStand && o.Result != kernel.Approved) {
		rt.Fatalf("reversal %v after %+v: %+v", o.Reversal, a, o)
	}
	if a.Route == kernel.NoAnswer && o.Result == kernel.Approved || a.Route == kernel.Answered && !a.Approved && o.Result == kernel.Approved {
		rt.Fatalf("approved after %+v", a)
	}
	return o
}
