package e2e_test

import (
	"encoding/hex"
	"fmt"
	"testing"

	"tallystick.example/simulator/adversary"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/terminal"
)

const (
	cardPAN = "4929000000000006"
	cardPIN = "1234"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

// raceRounds is how many sales are raced; a soak sets 10000.
const raceRounds = "TALLYSTICK_RACE_ROUNDS"

// TestRaces sends original, repeats and reversals of each sale at once over
// several connections, from a terminal of each scheme: never more than one effect
// in either book.
func TestRaces(t *testing.T) {
	s := newSystem(t, lab.Options{})
	s.start(lab.Host)
	card := s.addCard(cardPAN, cardPIN, 1_000_000_000)
	var attempts []adversary.Attempt
	for i, scheme := range []string{"aes", "tdes"} {
		tm := s.addTerminal(fmt.Sprintf("RACE%04d", i), scheme)
		r, err := adversary.Race(t.Context(), tm, card, adversary.RaceOptions{Rounds: rounds(t, raceRounds, 240) / 2, PIN: cardPIN, Seed: uint64(i)})
		must(t, err)
		for _, v := range r.Violations {
			t.Error(v)
		}
		t.Logf("%s: %v", scheme, r.Codes)
		if r.Codes["0420 00"] == 0 || r.Codes["0200 68"] == 0 || r.Codes["0200 00"] <= r.Rounds/5 {
			t.Errorf("%s: the races were none: %v", scheme, r.Codes)
		}
		attempts = append(attempts, r.Attempts...)
	}
	ledger, issuer := s.exports()
	faults, err := adversary.CheckEffects(attempts, ledger, issuer)
	must(t, err)
	for _, f := range faults {
		t.Error(f)
	}
	s.sound()
}

// TestCrowd holds one card at 64 terminals at once.
func TestCrowd(t *testing.T) {
	const crowd, tries = 64, 3
	s := newSystem(t, lab.Options{})
	s.start(lab.Host)
	all := s.addTerminals(crowd)
	const minor = 5000
	for name, sale := range map[string]terminal.Sale{
		"stripe":       {Card: s.addStripe("4929000000001004", minor), Minor: minor, Entry: "902"},
		"chip and PIN": {Card: s.addCard("4929000000001012", cardPIN, minor), Minor: minor, PIN: cardPIN},
		"chip":         {Card: s.addCard("4929000000001046", cardPIN, minor), Minor: minor, Entry: "052"},
	} {
		r, err := adversary.Crowd(t.Context(), all, sale)
		must(t, err)
		t.Logf("money for one sale, %s: %v", name, r.Codes)
		for _, v := range r.Violations {
			t.Errorf("money for one sale, %s: %s", name, v)
		}
	}
	card := s.addCard("4929000000001020", cardPIN, 1_000_000)
	r, err := adversary.WrongPINs(t.Context(), all, terminal.Sale{Card: card, Minor: 1, PIN: "9999", Entry: "901"}, tries)
	must(t, err)
	t.Logf("wrong PINs: %v", r.Codes)
	for _, v := range r.Violations {
		t.Errorf("wrong PINs: %s", v)
	}
	k, err := all[0].Dial(t.Context())
	must(t, err)
	defer k.Close()
	if _, ans, err := k.Pay(t.Context(), terminal.Sale{Card: card, Minor: 1, PIN: cardPIN}); err != nil || ans.ResponseCode() != "75" {
		t.Errorf("the right PIN after all tries: %v, %v", ans, err)
	}
	card = s.addCard("4929000000001038", cardPIN, 1_000_000)
	first, second, err := adversary.Replay(t.Context(), all[1], all[2], terminal.Sale{Card: card, Minor: 7, PIN: cardPIN})
	must(t, err)
	if first != "00" || second != "05" {
		t.Errorf("a cryptogram at two terminals: %s, %s", first, second)
	}
	s.sound()
}
