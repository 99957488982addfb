package sweep

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tallystick.example/iso8583"
)

func sale(labels ...string) []Event {
	r := newRecorder()
	r.arm(plan{})
	for _, l := range labels {
		kind, where, _ := strings.Cut(l, " ")
		r.happens(kind, where, 0, kind != "send")
	}
	log, _, _ := r.disarm()
	return log
}

func TestPlansKeepWhatSalesHaveInCommon(t *testing.T) {
	runs := plans([][]Event{
		sale("write f", "sync f", "send host"),
		sale("write f", "write f", "sync f", "send host", "write f", "sync f"),
	})
	want := []run{
		{"write f", 1, 1, 2, true}, {"sync f", 1, 1, 1, true}, {"send host", 1, 1, 1, false},
		{"write f", 2, 0, 1, true}, {"sync f", 2, 0, 1, true},
	}
	if !slices.Equal(runs, want) {
		t.Errorf("runs %+v, want %+v", runs, want)
	}
}

func TestReportMissesNothing(t *testing.T) {
	runs := plans([][]Event{sale("write f", "sync f")})
	visit := func(edge Edge, events ...string) Report {
		r := newReport(Options{Target: Agent, What: Kill, Edge: edge})
		r.expect(runs, true)
		for _, e := range events {
			name, side, _ := strings.Cut(e, "|")
			kind, where, _ := strings.Cut(name, " ")
			r.add(trial{plannedCase: plannedCase{event: name, edge: Edge(side), image: -1},
				at: Event{Kind: kind, Where: where, Run: 1, Step: 1}, reached: true, outcome: "reversed"})
		}
		r.finish(time.Second)
		return r
	}
	all := []string{"write f|before", "write f|after", "sync f|before", "sync f|after"}
	if r := visit("", all...); !r.OK || len(r.Unvisited) != 0 || r.Outcomes["reversed"] != 4 {
		t.Errorf("all visited: %+v", r)
	}
	if r := visit("", all[:3]...); r.OK || !slices.Equal(r.Unvisited, []string{"sync f 1.1"}) {
		t.Errorf("one edge missing: %v %v", r.OK, r.Unvisited)
	}
	if r := visit(Either, all[0], all[3]); !r.OK {
		t.Errorf("either edge is enough, missing %v", r.Unvisited)
	}
	if r := visit(""); r.OK {
		t.Error("a sweep that did nothing is fine")
	}
}

func TestReplayNamesTheCase(t *testing.T) {
	o := Options{Bin: "bin", Target: Host, What: Power, Seed: 9, Plant: NoSync}
	got := o.replay(Finding{Event: "sync host.db-wal 1.1", Edge: "after", Image: 3})
	want := `simulator sweep --bin bin --target host --what power --seed 9 --event "sync host.db-wal 1.1" --edge after --image 3 --plant nosync`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// sent is a recorded line of a sign-on or of a payment of an attempt.
func sent(t *testing.T, stan uint32, ksn byte, attempt byte) string {
	t.Helper()
	p := iso8583.Private{MACKSN: []byte{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, ksn}}
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	h := iso8583.Header{Terminal: "TERM0001", Merchant: "MERCHANT0000001", STAN: stan, At: at}
	p.Software, p.Parameters, p.Queues = "1.0", []iso8583.ParameterVersion{{Set: 1, Version: 1}}, &iso8583.Queues{}
	p.Capabilities = iso8583.CapOnlinePIN
	m, err := iso8583.NewNetwork(h, iso8583.SignOn, p)
	if attempt != 0 {
		p = iso8583.Private{MACKSN: p.MACKSN, Capabilities: p.Capabilities}
		p.AttemptID[15] = attempt
		p.DataKSN, p.CardData = p.MACKSN, iso8583.CardData{IV: make([]byte, 16), Ciphertext: make([]byte, 32)}
		m, err = iso8583.NewPayment(iso8583.Payment{Header: h, Type: iso8583.Purchase,
			Amount: iso8583.Amount{Minor: 100, Currency: 840}, Entry: "052", Chip: []byte{0x9F, 0x36, 2, 0, 1}, Private: p})
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := iso8583.Pack(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{"dir": "out", "raw": hex.EncodeToString(raw)})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNumbersTwice(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  int
	}{
		"each its own":            {[]string{sent(t, 1, 1, 0), sent(t, 2, 2, 7), sent(t, 3, 3, 8)}, 0},
		"the same bytes again":    {[]string{sent(t, 1, 1, 0), sent(t, 1, 1, 0)}, 0},
		"the same attempt's STAN": {[]string{sent(t, 2, 2, 7), sent(t, 2, 3, 7)}, 0},
		"a STAN for two attempts": {[]string{sent(t, 2, 2, 7), sent(t, 2, 3, 8)}, 1},
		"a STAN for two sign-ons": {[]string{sent(t, 1, 1, 0), sent(t, 1, 2, 0)}, 1},
		"a KSN for two messages":  {[]string{sent(t, 1, 1, 0), sent(t, 2, 1, 7)}, 1},
		"both for two attempts":   {[]string{sent(t, 1, 1, 7), sent(t, 1, 1, 8)}, 2},
	} {
		got, err := numbersTwice(bufio.NewScanner(strings.NewReader(strings.Join(c.lines, "\n"))))
		if err != nil || len(got) != c.want {
			t.Errorf("%s: found %q, %v; want %d", name, got, err, c.want)
		}
	}
	if _, err := numbersTwice(bufio.NewScanner(strings.NewReader("{"))); err == nil {
		t.Error("a torn line was read")
	}
}
