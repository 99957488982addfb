package card

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
)

func hexBytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// zeros is a source of challenges for tests.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func open(t testing.TB, p *Profile, state string, log *bytes.Buffer) *Card {
	t.Helper()
	store, err := OpenStore(state, p)
	if err != nil {
		t.Fatal(err)
	}
	var l *Log
	if log != nil {
		l = NewLog(log, func() time.Time { return time.Unix(0, 0) })
	}
	c, err := New(p, store, zeros{}, l)
	if err != nil {
		t.Fatal(err)
	}
	c.Reset()
	return c
}

func load(t testing.TB, name string) *Profile {
	t.Helper()
	p, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// send transmits an APDU in hexadecimal and wants its status.
func send(t testing.TB, c *Card, sw uint16, apdu string) []byte {
	t.Helper()
	command, err := transport.ParseCommand(hexBytesOf(t, apdu))
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Transmit(command)
	if err != nil {
		t.Fatal(err)
	}
	if r.SW != sw {
		t.Fatalf("%s answered %04X, want %04X", apdu[:8], r.SW, sw)
	}
	return r.Data
}

func TestBuiltInCards(t *testing.T) {
	for _, want := range []string{"visa-chip", "mchip-chip", "offline-pin", "no-cvm"} {
		if !strings.Contains(strings.Join(Names(), " "), want) {
			t.Errorf("card %s is missing", want)
		}
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p := load(t, name)
			if p.Name != name || p.Comment == "" {
				t.Errorf("it calls itself %q", p.Name)
			}
			c := open(t, p, "", nil)
			for _, a := range c.apps {
				for key, r := range a.records {
					if _, err := ber.Parse(r, ber.Limits{}); err != nil || len(r) > 255 {
						t.Errorf("record %v: %d bytes, %v", key, len(r), err)
					}
				}
			}
		})
	}
}

// TestDocumentedCard: the file in the documentation is a card, and every key of
// a card's file is in the documentation.
func TestDocumentedCard(t *testing.T) {
	b, err := os.ReadFile("../../docs/simulated-cards.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	_, sample, _ := strings.Cut(doc, "```yaml\n")
	sample, _, ended := strings.Cut(sample, "```")
	if !ended {
		t.Fatal("the documentation has no sample")
	}
	p, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	p.Apps[0].IssuerID = "476173"
	online(t, open(t, p, "", nil))
	if fci := send(t, open(t, p, "", nil), swOK, "00A4040007A000000003101000"); !bytes.Contains(fci, hexBytesOf(t, "BF0C054203476173")) {
		t.Errorf("the issuer's number is not in %X", fci)
	}
	words := strings.FieldsFunc(doc, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	for _, v := range []any{Profile{}, Application{}, IAC{}, File{}, Keys{}, Risk{}, Faults{}, ODA{}, RSABits{}, RSAKey{}} {
		for i, s := 0, reflect.TypeOf(v); i < s.NumField(); i++ {
			if key := s.Field(i).Tag.Get("yaml"); !slices.Contains(words, key) {
				t.Errorf("the key %s is not documented", key)
			}
		}
	}
}

func TestProfilesAreStrict(t *testing.T) {
	good, err := os.ReadFile("profiles/visa-chip.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown key":     {"pse: true", "psee: true"},
		"check digit":     {"4761739001010010", "4761739001010011"},
		"letters in PAN":  {"4761739001010010", "47617390010100AB"},
		"PIN":             {`"1234"`, `"12"`},
		"AID":             {"A0000000031010", "A000"},
		"profile":         {"visa_cvn18", "visa_cvn99"},
		"no layout":       {"visa_cvn18", "interac_cvn133"},
		"short key":       {"0123456789ABCDEFFEDCBA9876543210", "0123456789ABCDEF"},
		"unknown command": {"pse: true", "pse: true\nfaults: {mute: [sing]}"},
		"DOL":             {"aip: 1C00", "aip: 1C00\n    cdol1: 9F02"},
	} {
		text := strings.Replace(string(good), change[0], change[1], 1)
		if text == string(good) {
			t.Fatalf("%s: nothing changed", name)
		}
		_, err := Parse([]byte(text))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, hidden := range []string{"47617390010100", "0123456789ABCDEF"} {
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("%s: the error shows a secret", name)
			}
		}
	}
	if _, err := Load("no-such-card"); err == nil || !strings.Contains(err.Error(), "visa-chip") {
		t.Errorf("unknown card: %v, want the names of the known ones", err)
	}
}

// published is a card in the state of a published transaction of Visa's
// cryptogram version 10: transaction counter 1C, verification results 03A06010.
func published(t *testing.T, log *bytes.Buffer) *Card {
	p := &Profile{Name: "published", PINTryLimit: 3, PIN: "1234", Apps: []Application{{
		AID: "A0000000031010", Label: "TEST", PAN: "1234567890123456", PSN: "00", Expiry: "4912", Effective: "200101",
		ServiceCode: "201", Country: "0124", Currency: "0124", AIP: "1800", Usage: "FF00", Version: "008C",
		IAC:   IAC{noAction, noAction, noAction},
		CDOL1: "9F02069F03069F1A0295055F2A029A039C019F3704", CDOL2: "8A02910A", Template: 1,
		Risk: Risk{OfflineLimit: 1},
		Keys: Keys{
			Profile: "visa_cvn10", Option: "A", DKI: "01", IMKAC: "0123456789ABCDEFFEDCBA9876543210",
			IMKSMI: "FEDCBA98765432100123456789ABCDEF", ARPCMethods: []int{1},
		},
	}}}
	c := open(t, p, "", log)
	c.store.state.PINTries = 0
	*c.apps[0].state = AppState{ATC: 0x1B, LastOnlineATC: 5, Offline: 1, Scripts: 1}
	return c
}

// TestPublishedTransaction compares the card with values that others published
// (knovichikhin/pyemv tests/test_cvn_hsm.py): its ARQC, the ARPC that it must
// accept, and a script command with its MAC.
func TestPublishedTransaction(t *testing.T) {
	var log bytes.Buffer
	c := published(t, &log)
	send(t, c, swOK, "00A4040007A000000003101000")
	send(t, c, swOK, "80A8000002830000")
	r := send(t, c, swOK, "80AE80001D"+"000000004000"+"000000000000"+"0124"+"8000048000"+"0124"+"191105"+"01"+"52BF4585"+"00")
	want := "8012" + "80" + "001C" + "29CCA15AE665FA2E" + "06010A" + "03A06010"
	if !strings.EqualFold(hex.EncodeToString(r), want) {
		t.Fatalf("first GENERATE AC answered %X, want %s", r, want)
	}
	r = send(t, c, swOK, "80AE40000C"+"3030"+"28993816AFAE4AEB3030"+"00")
	if r[2] != typeTC {
		t.Fatalf("second GENERATE AC answered type %02X, want TC", r[2])
	}
	send(t, c, swOK, "8418000008DB56BA60087CEFD3")
	if !strings.Contains(log.String(), `"cryptogram_final":"TC","arpc_verified":true`) {
		t.Errorf("the log does not tell the outcome:\n%s", log.String())
	}
}

func TestWrongAnswersDecline(t *testing.T) {
	begin := func() (*Card, *bytes.Buffer) {
		var log bytes.Buffer
		c := published(t, &log)
		send(t, c, swOK, "00A4040007A000000003101000")
		send(t, c, swOK, "80A8000002830000")
		send(t, c, swOK, "80AE80001D0000000040000000000000000124800004800001241911050152BF458500")
		return c, &log
	}
	c, log := begin()
	if r := send(t, c, swOK, "80AE40000C303029993816AFAE4AEB303000"); r[2] != typeAAC {
		t.Errorf("a wrong ARPC got type %02X, want AAC", r[2])
	}
	if !strings.Contains(log.String(), `"cryptogram_final":"AAC","arpc_verified":false`) {
		t.Errorf("the log does not tell the outcome:\n%s", log.String())
	}
	send(t, c, swSecureMessaging, "8418000008DB56BA60087CEFD4")
	c, _ = begin()
	c.profile.Apps[0].Risk.IssuerAuthRequired = true
	if r := send(t, c, swOK, "80AE40000C30300000000000000000000000"); r[2] != typeAAC {
		t.Errorf("no ARPC where one is required got type %02X, want AAC", r[2])
	}
	c, _ = begin()
	if r := send(t, c, swOK, "80AE40000C59330000000000000000000000"); r[2] != typeAAC {
		t.Errorf("unable to go online over the limit got type %02X, want AAC", r[2])
	}
	c, _ = begin()
	c.profile.Faults.AcceptARPC = true
	if r := send(t, c, swOK, "80AE40000C303029993816AFAE4AEB303000"); r[2] != typeTC {
		t.Errorf("a card that accepts all got type %02X, want TC", r[2])
	}
}

// online runs a transaction of a built-in Visa card up to its ARQC and returns
// the fields that an issuer sees.
func online(t testing.TB, c *Card) cryptogram.Fields {
	t.Helper()
	send(t, c, swOK, fmt.Sprintf("00A40400%02X%s00", len(c.apps[0].aid), c.apps[0].profile.AID))
	send(t, c, swOK, "80A8000002830000")
	data := "000000001234" + "000000000000" + "0840" + "8000048000" + "0840" + "261122" + "00" + "01020304" + "22"
	r := send(t, c, swOK, "80AE80001E"+data+"00")
	if r[0] == 0x77 {
		nodes, err := ber.Parse(r, ber.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		flat := []byte{0x80, 0}
		for _, n := range nodes[0].Children {
			flat = append(flat, n.Value...)
		}
		r = flat
	}
	return cryptogram.Fields{
		0x9F02: hexBytesOf(t, "000000001234"), 0x9F03: make([]byte, 6), 0x9F1A: {8, 0x40}, 0x95: hexBytesOf(t, "8000048000"),
		0x5F2A: {8, 0x40}, 0x9A: hexBytesOf(t, "261122"), 0x9C: {0}, 0x9F37: {1, 2, 3, 4},
		0x82: c.apps[0].aip, 0x9F27: r[2:3], 0x9F36: r[3:5], 0x9F26: r[5:13], 0x9F10: r[13:],
	}
}

// TestIssuerVerifies: what the built-in cards compute passes the issuer's check,
// and not when a fault spoils it.
func TestIssuerVerifies(t *testing.T) {
	for _, name := range Names() {
		for _, wrong := range []bool{false, true} {
			p := load(t, name)
			p.Faults.WrongKey = wrong
			c := open(t, p, "", nil)
			fields := online(t, c)
			a := p.Apps[0]
			imk := secret.New(hexBytesOf(t, a.Keys.IMKAC))
			card := cryptogram.Card{PAN: secret.New([]byte(a.PAN)), PSN: a.PSN}
			err := cryptogram.Verify(imk, card, cryptogram.Profile(a.Keys.Profile), fields)
			if wrong && !errors.Is(err, cryptogram.ErrMismatch) || !wrong && err != nil {
				t.Errorf("%s, wrong key %v: %v", name, wrong, err)
			}
		}
	}
}

func TestExternalAuthenticateOnce(t *testing.T) {
	c := open(t, load(t, "visa-chip"), "", nil)
	fields := online(t, c)
	key, err := cryptogram.VisaCVN18.ARPCKey(c.apps[0].cardKey, fields)
	if err != nil {
		t.Fatal(err)
	}
	for name, auth := range map[string]cryptogram.IssuerAuth{
		"method 1": {Method: 1, ARC: []byte("00")},
		"method 2": {Method: 2, CSU: []byte{0, 0x80, 0, 0}},
	} {
		c := open(t, load(t, "visa-chip"), "", nil)
		online(t, c)
		data, err := auth.Data(key, cryptogram.AC(fields[0x9F26]))
		if err != nil {
			t.Fatal(err)
		}
		command := fmt.Sprintf("00820000%02X%X", len(data), data)
		send(t, c, swOK, command)
		send(t, c, swConditions, command)
		second := "80AE400020" + "3030" + "000000001234" + "000000000000" + "0840" + "8000048000" + "0840" + "261122" + "00" + "01020304" + "22" + "00"
		if r := send(t, c, swOK, second); r[2] != typeTC {
			t.Errorf("%s: type %02X, want TC", name, r[2])
		}
		send(t, c, swConditions, second)
		if s := c.apps[0].state; s.OnlineOpen || s.LastOnlineATC != s.ATC {
			t.Errorf("%s: state %+v", name, *s)
		}
	}
	data := make([]byte, 10)
	send(t, c, swAuthFailed, fmt.Sprintf("00820000%02X%X", len(data), data))
	send(t, c, swConditions, fmt.Sprintf("00820000%02X%X", len(data), data))
}

func TestStateSurvivesPower(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card.state")
	p := load(t, "offline-pin")
	for i := 1; i <= 3; i++ {
		c := open(t, p, path, nil)
		send(t, c, swOK, "00A4040007A000000003101000")
		send(t, c, swOK, "80A8000002830000")
		if r := send(t, c, swOK, "80CA9F3600"); int(r[4]) != i {
			t.Fatalf("transaction counter %d, want %d", r[4], i)
		}
		send(t, c, swTriesLeft+uint16(3-i), "0020008008249999FFFFFFFFFF")
	}
	c := open(t, p, path, nil)
	send(t, c, swOK, "00A4040007A000000003101000")
	send(t, c, swOK, "80A8000002830000")
	send(t, c, swBlocked, "0020008008241234FFFFFFFFFF")
	other := load(t, "visa-chip")
	if _, err := OpenStore(path, other); err == nil {
		t.Error("the state of another card was taken")
	}
	if err := os.WriteFile(path, []byte(`{"version":1,"surprise":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(path, p); err == nil {
		t.Error("a damaged state was taken")
	}
}

// TestTryIsTakenFirst: a card that cannot make the try durable does not compare.
func TestTryIsTakenFirst(t *testing.T) {
	dir := t.TempDir()
	c := open(t, load(t, "offline-pin"), filepath.Join(dir, "card.state"), nil)
	send(t, c, swOK, "00A4040007A000000003101000")
	send(t, c, swOK, "80A8000002830000")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	command, _ := transport.ParseCommand(hexBytesOf(t, "0020008008241234FFFFFFFFFF"))
	if _, err := c.Transmit(command); !errors.Is(err, ErrMute) {
		t.Errorf("answered with %v, want ErrMute", err)
	}
}

func TestRightPINGivesTriesBack(t *testing.T) {
	c := open(t, load(t, "offline-pin"), "", nil)
	send(t, c, swOK, "00A4040007A000000003101000")
	send(t, c, swConditions, "0020008008241234FFFFFFFFFF")
	send(t, c, swOK, "80A8000002830000")
	send(t, c, swTriesLeft+2, "0020008008249999FFFFFFFFFF")
	send(t, c, swLength, "00200080072412340FFFFFFF")
	send(t, c, swP1P2, "0020008108241234FFFFFFFFFF")
	send(t, c, swOK, "0020008008241234FFFFFFFFFF")
	if r := send(t, c, swOK, "80CA9F1700"); r[3] != 3 {
		t.Errorf("%d tries left, want 3", r[3])
	}
}

// TestLogHidesSecrets reads all records and verifies a PIN.
func TestLogHidesSecrets(t *testing.T) {
	for _, name := range Names() {
		var log bytes.Buffer
		p := load(t, name)
		c := open(t, p, "", &log)
		online(t, c)
		send(t, c, swOK, "00B2010C00")
		for record := 1; record <= 3; record++ {
			send(t, c, swOK, fmt.Sprintf("00B2%02X1400", record))
		}
		command, _ := transport.ParseCommand(hexBytesOf(t, "0020008008241234FFFFFFFFFF"))
		if _, err := c.Transmit(command); err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{p.Apps[0].PAN, "241234FF", p.Apps[0].PAN[6:12], hex.EncodeToString([]byte(p.Apps[0].Cardholder))} {
			if strings.Contains(strings.ToLower(log.String()), strings.ToLower(hidden)) {
				t.Errorf("%s: the log shows a secret", name)
			}
		}
		if !strings.Contains(log.String(), `"name":"generate_ac_1"`) || !strings.Contains(log.String(), `"cryptogram":"ARQC"`) {
			t.Errorf("%s: the log lacks the cryptogram:\n%s", name, log.String())
		}
	}
}

func TestFaults(t *testing.T) {
	p := load(t, "visa-chip")
	p.Faults = Faults{Mute: []string{cmdReadRecord}, Status: map[string]string{cmdGetData: "6A88"}, ReplayATC: true}
	c := open(t, p, "", nil)
	for range 2 {
		fields := online(t, c)
		if !bytes.Equal(fields[0x9F36], []byte{0, 1}) {
			t.Errorf("transaction counter %X, want 0001 again", fields[0x9F36])
		}
		c.Reset()
	}
	online(t, c)
	send(t, c, swNoData, "80CA9F3600")
	command, _ := transport.ParseCommand(hexBytesOf(t, "00B2010C00"))
	if _, err := c.Transmit(command); !errors.Is(err, ErrMute) {
		t.Errorf("READ RECORD: %v, want ErrMute", err)
	}
}

func TestScriptsBlock(t *testing.T) {
	p := load(t, "no-cvm") // has no script key: scripts come without a MAC
	c := open(t, p, "", nil)
	online(t, c)
	send(t, c, swOK, "841E0000")
	c.Reset()
	send(t, c, swBlockedFile, "00A4040007A000000003201000")
	send(t, c, swConditions, "80A8000002830000")
	c.apps[0].state.Blocked = false
	c.Reset()
	online(t, c)
	send(t, c, swFunction, "84DA9F5801AA"[:8]+"00")
	send(t, c, swOK, "84160000")
	send(t, c, swFunction, "00A4040007A000000003201000")
}
