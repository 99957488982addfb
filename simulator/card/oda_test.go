package card

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/secret"
)

// inKernel is a card as the EMV kernel sees one.
type inKernel struct {
	*Card
	commands map[string]int
}

func (k inKernel) Transmit(_ context.Context, capdu []byte) ([]byte, error) {
	command, err := transport.ParseCommand(capdu)
	if err != nil {
		return nil, err
	}
	k.commands[k.commandName(command)]++
	r, err := k.Card.Transmit(command)
	if err != nil {
		return nil, err
	}
	if len(r.Data) > 256 {
		return nil, errors.New("an answer that fits no short command")
	}
	return r.Bytes(), nil
}

// pay runs a whole transaction of the card with a terminal whose third byte of
// capabilities is security, and whose cardholder types pins.
func pay(t *testing.T, c *Card, security byte, pins ...string) (*kernel.Request, *kernel.Outcome, map[string]int) {
	t.Helper()
	list, err := c.profile.CAKeys()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := oda.NewKeys(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &kernel.Config{Type: 0x22, Capabilities: [3]byte{0x20, 0xF8, security}, MoreCapabilities: [5]byte{0x60}, Country: 840,
		TerminalID: "TERM0001", IFDSerial: "00000001", CAKeys: keys}
	for _, a := range c.apps {
		cfg.Applications = append(cfg.Applications, kernel.Application{AID: a.aid, TAC: kernel.ActionCodes{Online: hexBytesOf(t, "FC0004F800")}})
	}
	typed := 0
	in := inKernel{c, map[string]int{}}
	s, err := kernel.Select(t.Context(), in, cfg, kernel.Callbacks{
		OfflinePIN: func(context.Context, kernel.PINPrompt) (kernel.PINStatus, secret.Secret, error) {
			typed++
			if typed > len(pins) {
				return kernel.PINBypassed, secret.Secret{}, nil
			}
			return kernel.PINEntered, secret.New([]byte(pins[typed-1])), nil
		},
		OnlinePIN: func(context.Context, *kernel.CardInfo) (kernel.PINStatus, error) { return kernel.PINEntered, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.First(t.Context(), kernel.Transaction{Amount: 1234, Currency: 840, Exponent: 2,
		Date: emv.Day{Year: 2026, Month: 11, Day: 28}, Random: issue.Stream("terminal")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != nil {
		return r, r.Outcome, in.commands
	}
	return r, s.Second(t.Context(), kernel.Answer{Approved: true, ARC: "00"}), in.commands
}

// Every built-in card with RSA keys passes the kernel's checks by each method
// that it offers, signs what it must, and approves.
func TestKernelAuthenticatesBuiltInCards(t *testing.T) {
	securities := map[string]byte{"sda": 0x80, "dda": 0x40, "cda": 0x08}
	seen := map[string]int{}
	for _, name := range Names() {
		p := load(t, name)
		if len(p.Apps) > 1 {
			continue
		}
		methods := p.Apps[0].ODA.Methods
		for _, method := range methods {
			r, o, commands := pay(t, open(t, p, "", nil), securities[method], "1234")
			if tvr := r.TVR; tvr[0]&^0x02 != 0 || tvr[0] != 0 && method != "sda" || !emv.TSIODA.In(o.TSI[:]) || o.Result != kernel.Approved {
				t.Errorf("%s, %s: TVR %X, %+v", name, method, tvr, o)
			}
			if commands[cmdInternalAuth] > 0 != (method == "dda") {
				t.Errorf("%s, %s: %v", name, method, commands)
			}
			seen[method]++
		}
		if _, o, _ := pay(t, open(t, p, "", nil), 0xC8, "1234"); emv.TVRODANotPerformed.In(o.TVR[:]) != (len(methods) == 0) {
			t.Errorf("%s: TVR %X", name, o.TVR)
		}
	}
	if seen["sda"] < 2 || seen["dda"] < 3 || seen["cda"] < 3 {
		t.Errorf("the built-in cards offer %v", seen)
	}
}

// Certificates and signatures that are wrong on purpose are found.
func TestWrongCertificatesAndSignatures(t *testing.T) {
	for fault, f := range map[string]Faults{"certificate": {WrongCertificate: true}, "signature": {WrongSignature: true}} {
		for security, bit := range map[byte]emv.Bit{0x40: emv.TVRDDAFailed, 0x08: emv.TVRCDAFailed} {
			p := load(t, "visa-chip")
			p.Faults = f
			r, o, _ := pay(t, open(t, p, "", nil), security, "1234")
			if !bit.In(r.TVR[:]) {
				t.Errorf("wrong %s: TVR %X", fault, r.TVR)
			}
			if fault == "signature" && security == 0x08 && (o.Result != kernel.Declined || o.By != kernel.ByTerminal) {
				t.Errorf("a wrong combined signature: %+v", o)
			}
		}
	}
}

// A PIN arrives enciphered; a wrong one costs a try; after the right one the
// tries are back.
func TestEncipheredPINReachesTheCard(t *testing.T) {
	c := open(t, load(t, "enciphered-pin"), "", nil)
	r, o, commands := pay(t, c, 0xC8, "9999", "1234")
	if fmt.Sprintf("%X", r.CVM.Bytes()) != "440302" || commands[cmdVerify] != 2 || commands[cmdGetChallenge] != 2 || o.Result != kernel.Approved {
		t.Errorf("CVM %X, %v, %+v", r.CVM.Bytes(), commands, o)
	}
	if c.store.state.PINTries != 3 {
		t.Errorf("%d tries are left", c.store.state.PINTries)
	}
	r, _, commands = pay(t, c, 0xC8, "9999", "9998", "9997", "1234")
	if !emv.TVRPINTryLimit.In(r.TVR[:]) || commands[cmdVerify] != 3 || c.store.state.PINTries != 0 {
		t.Errorf("TVR %X, %v, %d tries left", r.TVR, commands, c.store.state.PINTries)
	}
}

// What VERIFY refuses, and what costs a try without telling why.
func TestVerifyEnciphered(t *testing.T) {
	c := open(t, load(t, "enciphered-pin"), "", nil)
	keys, err := c.profile.Apps[0].ODA.resolve()
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, swOK, "00A4040007A000000003101000")
	send(t, c, swOK, "80A8000002830000")
	verify := func(sw uint16, data []byte) {
		t.Helper()
		send(t, c, sw, fmt.Sprintf("00200088%02X%X", len(data), data))
	}
	hidden := func(pin string, challenge []byte) []byte {
		data, err := keys.pin.Public().EncipherPIN(secret.New([]byte(pin)), challenge, issue.Stream("x"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	verify(swConditions, hidden("1234", make([]byte, 8))) // no challenge
	challenge := send(t, c, swOK, "0084000000")
	verify(swLength, hidden("1234", challenge)[1:])
	verify(swConditions, hidden("1234", challenge)) // that one is used up
	challenge = send(t, c, swOK, "0084000000")
	verify(swTriesLeft+2, hidden("4321", challenge))
	challenge = send(t, c, swOK, "0084000000")
	data := hidden("1234", challenge)
	data[0] = 0
	verify(swTriesLeft+1, data)
	send(t, c, swOK, "0084000000")
	verify(swTriesLeft, hidden("1234", []byte{1, 2, 3, 4, 5, 6, 7, 8}))
	challenge = send(t, c, swOK, "0084000000")
	verify(swBlocked, hidden("1234", challenge))
	// A card without RSA keys knows no such VERIFY.
	plain := open(t, load(t, "no-cvm"), "", nil)
	send(t, plain, swOK, "00A4040007A000000003201000")
	send(t, plain, swOK, "80A8000002830000")
	send(t, plain, swP1P2, "0020008808"+strings.Repeat("00", 8))
}

// The built-in keys are those of their seed: nobody chose them.
func TestBuiltInKeysComeFromTheirSeed(t *testing.T) {
	lab, err := builtInKeys()
	if err != nil {
		t.Fatal(err)
	}
	o := ODA{Seed: "tallystick lab", Bits: RSABits{CA: 1984, Issuer: 1408, ICC: 1152, PIN: 1024}, PINKeys: true}
	again, err := o.resolve()
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range [][2]*issue.Key{{lab.ca, again.ca}, {lab.issuer, again.issuer}, {lab.icc, again.icc}, {lab.pin, again.pin}} {
		if !bytes.Equal(k[0].Modulus(), k[1].Modulus()) || !bytes.Equal(k[0].Private(), k[1].Private()) {
			t.Errorf("key %d is another one", i)
		}
	}
}

// Keys as long as the standard allows fit into records and answers.
func TestLongestKeys(t *testing.T) {
	p := load(t, "visa-chip")
	p.Apps[0].ODA = ODA{Methods: []string{"sda", "dda"}, Seed: "long", Bits: RSABits{1984, 1984, 1984, 1984}, PINKeys: true}
	p.setDefaults()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	c := open(t, p, "", nil)
	for key, r := range c.apps[0].records {
		if len(r) > 255 {
			t.Errorf("record %v has %d bytes", key, len(r))
		}
	}
	for _, security := range []byte{0x80, 0x40} {
		if _, o, _ := pay(t, c, security, "1234"); o.TVR[0]&^0x02 != 0 || o.Result != kernel.Approved {
			t.Errorf("%02X: %+v", security, o)
		}
	}
	p.Apps[0].ODA.Methods = []string{"cda"}
	if _, err := New(p, c.store, zeros{}, nil); err == nil || !strings.Contains(err.Error(), "205") {
		t.Errorf("a combined signature of 1984 bits: %v", err)
	}
}

// Keys that are written out survive the file; mistakes are refused.
func TestWrittenKeys(t *testing.T) {
	p := load(t, "enciphered-pin")
	keys, err := p.Apps[0].ODA.resolve()
	if err != nil {
		t.Fatal(err)
	}
	text := func(k *issue.Key) RSAKey {
		return RSAKey{fmt.Sprintf("%X", k.Modulus()), fmt.Sprintf("%X", k.Exponent()), fmt.Sprintf("%X", k.Private())}
	}
	o := &p.Apps[0].ODA
	*o = ODA{Methods: o.Methods, CA: text(keys.ca), Issuer: text(keys.issuer), ICC: text(keys.icc), PIN: text(keys.pin)}
	b, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = Parse(b); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := pay(t, open(t, p, "", nil), 0x08, "1234"); out.TVR[0] != 0 || out.Result != kernel.Approved {
		t.Errorf("%+v", out)
	}
	for name, change := range map[string]func(*Application){
		"no source":     func(a *Application) { a.ODA.CA = RSAKey{} },
		"two sources":   func(a *Application) { a.ODA.Seed = "x" },
		"unknown name":  func(a *Application) { a.ODA.CA, a.ODA.Keys = RSAKey{}, "production" },
		"method":        func(a *Application) { a.ODA.Methods = []string{"xda"} },
		"index":         func(a *Application) { a.ODA.Index = "F" },
		"size":          func(a *Application) { a.ODA.Bits.CA = 2048 },
		"sizes":         func(a *Application) { a.ODA.Bits.ICC = 1500 },
		"CDOL1":         func(a *Application) { a.CDOL1 = "9F0206" },
		"CDOL2":         func(a *Application) { a.CDOL2 = "8A02" },
		"private half":  func(a *Application) { a.ODA.ICC.Private = a.ODA.CA.Private },
		"no issuer key": func(a *Application) { a.ODA.Issuer = RSAKey{} },
	} {
		bad, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		change(&bad.Apps[0])
		err = bad.Check()
		if err == nil {
			store, storeErr := OpenStore("", bad)
			if storeErr != nil {
				t.Fatal(storeErr)
			}
			_, err = New(bad, store, zeros{}, nil)
		}
		if err == nil || strings.Contains(err.Error(), o.ICC.Private[:16]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The CA keys are printed as an agent's configuration takes them, one for each
// RID, and there is none for a card without RSA keys.
func TestCAKeysYAML(t *testing.T) {
	text, err := load(t, "visa-chip").CAKeysYAML()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Keys []struct {
			RID, Index, Exponent, Checksum, Modulus, Expires string
			Test                                             bool
		} `yaml:"ca_keys"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	if k := file.Keys; len(k) != 1 || k[0].RID != "A000000003" || k[0].Index != "F9" || !k[0].Test || k[0].Expires != "2049-12-31" || len(k[0].Modulus) != 2*248 {
		t.Errorf("%+v", k)
	}
	if text, err = load(t, "no-cvm").CAKeysYAML(); err != nil || text != "" {
		t.Errorf("%q, %v", text, err)
	}
}

// A card that declines does not sign, also when a signature was asked for; one
// that offers no CDA refuses the question, and nobody may ask for a signed AAC.
func TestDeclinedIsNotSigned(t *testing.T) {
	p := load(t, "visa-chip")
	p.Faults.DeclineARC = true
	c := open(t, p, "", nil)
	data := "0000000012340000000000000840808004800008402611250094FA741921"
	send(t, c, swOK, "00A4040007A000000003101000")
	send(t, c, swOK, "80A8000002830000")
	send(t, c, swP1P2, "80AE10001E"+data+"00")
	if signed := send(t, c, swOK, "80AE90001E"+data+"00"); signed[0] != 0x77 || !bytes.Contains(signed, []byte{0x9F, 0x4B}) {
		t.Errorf("ARQC: %X", signed)
	}
	if declined := send(t, c, swOK, "80AE5000203030"+data+"00"); declined[0] != 0x80 || declined[2] != typeAAC {
		t.Errorf("AAC: %X", declined)
	}
	plain := open(t, load(t, "no-cvm"), "", nil)
	send(t, plain, swOK, "00A4040007A000000003201000")
	send(t, plain, swOK, "80A8000002830000")
	send(t, plain, swP1P2, "80AE90001E"+data+"00")
	send(t, plain, swConditions, "0088000004DEADBEEF00")
}
