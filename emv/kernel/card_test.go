package kernel_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/internal/pure/ber"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// objects builds TLV from pairs of tag and value in hexadecimal.
func objects(pairs ...string) []byte {
	var out []byte
	for i := 0; i < len(pairs); i += 2 {
		tag, err := emv.ParseTag(pairs[i])
		if err != nil {
			panic(err)
		}
		out = ber.Append(out, uint32(tag), unhex(pairs[i+1]))
	}
	return out
}

const (
	testAID = "A0000000031010"
	testPAN = "4761739001010119"
	cdol1   = "9F02069F03069F1A0295055F2A029A039C019F3704"
	cdol2   = "8A0295059F3704"
)

// A testCard is a card that does what a card should; its fields change that. It
// remembers what it was asked.
type testCard struct {
	aip      string
	records  map[string]string // objects of record 1 of file 1; "" leaves one out
	dataTags map[emv.Tag]string
	pin      string
	tries    int
	first    emv.Cryptogram // answer to the first GENERATE AC, when not above what is asked
	second   emv.Cryptogram
	answers  map[byte]string // by instruction: a whole answer in place of the normal one
	lost     byte            // instruction that finds the card gone
	commands []string        // all commands, in hexadecimal
	acs      int
}

func newCard() *testCard {
	return &testCard{
		aip: "1C00", pin: "1234", tries: 3, first: emv.ARQC, second: emv.TC,
		records: map[string]string{
			"5A": testPAN, "5F24": "301231", "5F34": "01", "5F28": "0840", "57": testPAN + "D30122011758928889",
			"8C": cdol1, "8D": cdol2, "8E": "0000000000000000 4103 1F03", "9F07": "FF80", "9F42": "0840",
			"9F0D": "0000000000", "9F0E": "0000000000", "9F0F": "0000000000",
		},
		dataTags: map[emv.Tag]string{}, answers: map[byte]string{},
	}
}

func ok(data []byte) []byte { return append(bytes.Clone(data), 0x90, 0x00) }

// Transmit answers as the fields say.
func (c *testCard) Transmit(_ context.Context, capdu []byte) ([]byte, error) {
	c.commands = append(c.commands, fmt.Sprintf("%X", capdu))
	ins := capdu[1]
	if ins == c.lost && (ins != 0xAE || c.acs == 1) {
		return nil, errors.New("no card")
	}
	if answer, found := c.answers[ins]; found {
		return unhex(answer), nil
	}
	switch ins {
	case 0xA4:
		return c.selectAnswer(capdu), nil
	case 0xA8:
		return ok(objects("77", fmt.Sprintf("%X", objects("82", c.aip, "94", "08010101")))), nil
	case 0xB2:
		return ok(objects("70", fmt.Sprintf("%X", c.record()))), nil
	case 0xCA:
		return c.getData(emv.Tag(capdu[2])<<8 | emv.Tag(capdu[3])), nil
	case 0x20:
		return c.verify(capdu), nil
	case 0xAE:
		return c.generate(emv.Cryptogram(capdu[2] & 0xC0)), nil
	}
	return unhex("9000"), nil
}

func (c *testCard) selectAnswer(capdu []byte) []byte {
	if !strings.HasPrefix(fmt.Sprintf("%X", capdu[5:]), testAID) {
		return unhex("6A82")
	}
	fci := objects("84", testAID, "A5", fmt.Sprintf("%X", objects("50", "43415244", "87", "01")))
	return ok(objects("6F", fmt.Sprintf("%X", fci)))
}

func (c *testCard) record() []byte {
	var out []byte
	for _, tag := range []string{"5A", "5F24", "5F34", "5F28", "57", "8C", "8D", "8E", "97", "9F07", "9F42",
		"9F0D", "9F0E", "9F0F", "9F14", "9F23", "9F08", "9F4A", "9F02", "95"} {
		if v := c.records[tag]; v != "" {
			out = append(out, objects(tag, v)...)
		}
	}
	return out
}

func (c *testCard) getData(tag emv.Tag) []byte {
	if tag == emv.TagPINTries {
		return ok(objects("9F17", fmt.Sprintf("%02X", c.tries)))
	}
	if v, found := c.dataTags[tag]; found {
		return ok(objects(tag.String(), v))
	}
	return unhex("6A88")
}

func (c *testCard) verify(capdu []byte) []byte {
	block := fmt.Sprintf("%X", capdu[5:])
	if want := fmt.Sprintf("%02X%s", 0x20+len(c.pin), c.pin); strings.HasPrefix(block, want) {
		return unhex("9000")
	}
	c.tries--
	return unhex(fmt.Sprintf("63C%X", c.tries))
}

func (c *testCard) generate(asked emv.Cryptogram) []byte {
	answer := c.first
	if c.acs > 0 {
		answer = c.second
	}
	c.acs++
	if answer.Over(asked) {
		answer = asked
	}
	return ok(objects("77", fmt.Sprintf("%X", objects("9F27", fmt.Sprintf("%02X", byte(answer)),
		"9F36", "0001", "9F26", "1122334455667788", "9F10", "06010A03A00000"))))
}

// sent are the commands of an instruction.
func (c *testCard) sent(ins string) []string {
	var out []string
	for _, s := range c.commands {
		if s[2:4] == ins {
			out = append(out, s)
		}
	}
	return out
}

// zeros is a source of randomness of zeros: never selected, number 00000000.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); p[0] = 98; return len(p), nil }

func testConfig() *kernel.Config {
	return &kernel.Config{
		Type: 0x22, Capabilities: [3]byte{0xE0, 0xF8, 0xC8}, MoreCapabilities: [5]byte{0xF0, 0, 0xF0, 0xA0, 0x01},
		Country: 840, TerminalID: "TERM0001", MerchantID: "MERCHANT", IFDSerial: "SERIAL01", MCC: 5999,
		Applications: []kernel.Application{{
			AID: unhex(testAID), Partial: true, Version: [2]byte{0x00, 0x96}, FloorLimit: 5000,
			TAC: kernel.ActionCodes{Online: unhex("FC50BCF800"), Default: unhex("FC50BCA000"), Denial: unhex("0010000000")},
		}},
	}
}

func testTransaction() kernel.Transaction {
	return kernel.Transaction{Amount: 10000, Currency: 840, Exponent: 2,
		Date: emv.Day{Year: 2026, Month: 11, Day: 25}, Sequence: 7, Random: zeros{}}
}

// run takes a card up to the first GENERATE AC.
func run(t testing.TB, card *testCard, cfg *kernel.Config, ask kernel.Callbacks, tx kernel.Transaction) (*kernel.Session, *kernel.Request, error) {
	t.Helper()
	s, err := kernel.Select(context.Background(), card, cfg, ask)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(s.Close)
	r, err := s.First(context.Background(), tx)
	return s, r, err
}

// online is run for a card that must go online.
func online(t *testing.T, card *testCard, ask kernel.Callbacks) (*kernel.Session, *kernel.Request) {
	t.Helper()
	s, r, err := run(t, card, testConfig(), ask, testTransaction())
	if err != nil || r.Cryptogram != emv.ARQC || r.Outcome != nil {
		t.Fatalf("First = %+v, %v", r, err)
	}
	return s, r
}
