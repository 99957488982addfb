package kernel_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/secret"
)

// A scriptCard is a list of exact exchanges; any other command fails the test.
type scriptCard struct {
	t    *testing.T
	left [][2]string // command, answer
}

// load reads testdata/name.apdu: lines "> command" and "< answer" in
// hexadecimal, others are remarks.
func load(t *testing.T, name string) *scriptCard {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".apdu"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &scriptCard{t: t}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		text = strings.ReplaceAll(text, " ", "")
		switch kind {
		case ">":
			c.left = append(c.left, [2]string{text})
		case "<":
			c.left[len(c.left)-1][1] = text
		}
	}
	return c
}

func (c *scriptCard) Transmit(_ context.Context, capdu []byte) ([]byte, error) {
	got := fmt.Sprintf("%X", capdu)
	if len(c.left) == 0 || c.left[0][0] != got {
		want := "nothing"
		if len(c.left) > 0 {
			want = c.left[0][0]
		}
		c.t.Errorf("the kernel sends %s\nthe script wants %s", got, want)
		return nil, fmt.Errorf("not in the script")
	}
	answer := unhex(c.left[0][1])
	c.left = c.left[1:]
	return answer, nil
}

// TestScripts plays whole transactions against exact exchanges.
func TestScripts(t *testing.T) {
	pin := kernel.Callbacks{
		OfflinePIN: func(context.Context, kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
			return kernel.PINEntered, secret.New([]byte("1234")), nil
		},
	}
	scripts := objects("91", "A584F94900820000", "71", fmt.Sprintf("%X", objects("9F18", "00000001", "86", "8418000004AABBCCDD")),
		"72", fmt.Sprintf("%X", objects("9F18", "00000002", "86", "8416000004AABBCCDD", "86", "04DA9F5801020304")))
	for name, c := range map[string]struct {
		ask     kernel.Callbacks
		amount  int64
		answer  *kernel.Answer
		request string // cryptogram, CVM results, TVR, TSI after the first GENERATE AC
		want    string // result, by, ARC, TVR, TSI, script results, reversal
	}{
		"offline-approved": {pin, 1000, nil, "TC 410302 8000000000 6800", "approved card Y1 8000000000 6800  false"},
		"offline-declined": {kernel.Callbacks{}, 1000, nil, "AAC 1F0302 8010000000 6800",
			"declined terminal Z1 8010000000 6800  false"},
		"approved": {pin, 10000, &kernel.Answer{Approved: true, ARC: "00", Objects: scripts}, "ARQC 410302 8000008000 6800",
			"approved issuer 00 8000008010 7C00 20000000011200000002 false"},
		"declined": {pin, 10000, &kernel.Answer{ARC: "05"}, "ARQC 410302 8000008000 6800",
			"declined issuer 05 8000008000 6800  false"},
		"refused-by-card": {pin, 10000, &kernel.Answer{Approved: true, ARC: "00"}, "ARQC 410302 8000008000 6800",
			"declined card 00 8000008000 6800  true"},
		"no-answer": {pin, 10000, &kernel.Answer{Route: kernel.NoAnswer}, "ARQC 410302 8000008000 6800",
			"declined terminal Z3 8000008000 6800  true"},
		"unable-approved": {pin, 10000, &kernel.Answer{Route: kernel.Unsent}, "ARQC 410302 8000008000 6800",
			"approved card Y3 8000008000 6800  false"},
	} {
		t.Run(name, func(t *testing.T) {
			card := load(t, name)
			cfg := testConfig()
			if name == "unable-approved" || strings.HasPrefix(name, "offline") {
				// Neither "not performed" nor the floor limit sends this terminal online.
				cfg.Applications[0].TAC = kernel.ActionCodes{Denial: unhex("0010000000")}
			}
			tx := testTransaction()
			tx.Amount = c.amount
			s, err := kernel.Select(context.Background(), card, cfg, c.ask)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := s.First(context.Background(), tx)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%v %X %X %X", r.Cryptogram, r.CVM.Bytes(), r.TVR, r.TSI); got != c.request {
				t.Errorf("request %s, want %s", got, c.request)
			}
			o := r.Outcome
			if c.answer != nil {
				o = s.Second(context.Background(), *c.answer)
			}
			got := fmt.Sprintf("%v %v %v %X %X %X %v", o.Result, o.By, o.ARC, o.TVR, o.TSI, o.ScriptResults, o.Reversal)
			if got != c.want {
				t.Errorf("outcome %s\nwant    %s (%v)", got, c.want, o.Err)
			}
			if (o.Result == kernel.Approved) != (o.Cryptogram == emv.TC) || len(card.left) > 0 {
				t.Errorf("result %v with %v, %d exchanges left", o.Result, o.Cryptogram, len(card.left))
			}
		})
	}
}
