package emv

import (
	"encoding/hex"
	"fmt"
	"strings"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
)

// MaskPAN shows the first six and the last four digits of a PAN, and nothing of
// one with fewer than 13 digits or with anything but digits.
func MaskPAN(pan string) string {
	if len(pan) < 13 || strings.Trim(pan, "0123456789") != "" {
		return "[hidden]"
	}
	return pan[:6] + strings.Repeat("*", len(pan)-10) + pan[len(pan)-4:]
}

// mask is what is shown of a sensitive value.
func mask(tag Tag, value []byte) string {
	if pan := panIn(tag, value); pan != "" {
		return MaskPAN(pan)
	}
	return fmt.Sprintf("[%d bytes hidden]", len(value))
}

// panIn is the PAN in a value of tag 5A, 57 or 9F6B, or nothing.
func panIn(tag Tag, value []byte) string {
	digits := strings.ToUpper(hex.EncodeToString(value))
	switch tag {
	case TagPAN:
		digits = strings.TrimRight(digits, "F")
	case TagTrack2, TagTrack2Contactless:
		digits, _, _ = strings.Cut(digits, "D")
	default:
		return ""
	}
	if strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits
}

// maxPANs bounds what a Masker remembers: a card has one PAN, a hostile one as
// many as it likes.
const maxPANs = 8

// minPAN is the shortest number remembered: a shorter one would hide bytes that
// only look like it.
const minPAN = 8

// A Masker turns the commands and answers of one card session into text that
// may be kept: PIN data, PANs, tracks and names are hidden where they pass, and
// a PAN once seen is hidden wherever its digits turn up again. The zero value
// is ready. A Masker serves one session and one goroutine at a time.
type Masker struct {
	pans []secret.Secret
}

// Command is a command APDU as text, such as "00A4 0400 07 A0000000031010 00".
// The data of VERIFY, CHANGE REFERENCE DATA, PIN CHANGE/UNBLOCK, UPDATE RECORD
// and PUT DATA are not shown.
func (m *Masker) Command(capdu []byte) string {
	if len(capdu) < 5 {
		return fmt.Sprintf("%X", capdu)
	}
	head := fmt.Sprintf("%X %X %02X", capdu[:2], capdu[2:4], capdu[4])
	lc := int(capdu[4])
	if len(capdu) == 5 {
		return head // case 2: the fifth byte is Le
	}
	data, le := capdu[5:], []byte(nil)
	if lc <= len(data) {
		data, le = data[:lc], data[lc:]
	}
	text := m.hide(strings.ToUpper(hex.EncodeToString(data)))
	switch capdu[1] {
	case 0x20, 0x24, 0x2C, 0xDA, 0xDC: // the instructions named above, 2C RESET RETRY COUNTER
		text = hidden(len(data))
	}
	switch {
	case len(le) == 1:
		text += fmt.Sprintf(" %X", le)
	case len(le) > 1: // no short APDU: nothing is known of what follows
		text += " " + hidden(len(le))
	}
	return head + " " + text
}

// Response is an answer APDU as text, ending with its status word. Data that
// are no data objects are not shown, because a PAN in them could not be found.
func (m *Masker) Response(rapdu []byte) string {
	if len(rapdu) < 2 {
		return hidden(len(rapdu))
	}
	data, sw := rapdu[:len(rapdu)-2], fmt.Sprintf("%X", rapdu[len(rapdu)-2:])
	if len(data) == 0 {
		return sw
	}
	return m.Objects(data) + " " + sw
}

// Objects is a sequence of data objects as hexadecimal text, masked like the
// data of a response.
func (m *Masker) Objects(data []byte) string {
	nodes, err := ber.Parse(data, ber.Limits{})
	if err != nil {
		return hidden(len(data))
	}
	sensitiveValues(nodes, m.remember)
	text := []byte(strings.ToUpper(hex.EncodeToString(data)))
	star(text, data, nodes, 0)
	return m.hide(string(text))
}

// star puts stars over the sensitive values among nodes, which begin at byte at
// of data; text is data in hexadecimal.
func star(text, data []byte, nodes []ber.Node, at int) {
	for _, n := range nodes {
		for data[at] == 0x00 { // filler
			at++
		}
		value := at + len(n.Raw) - len(n.Value)
		if n.Constructed() {
			star(text, data, n.Children, value)
		} else if entry, _ := Lookup(Tag(n.Tag)); entry.Sensitive {
			for i := 2 * value; i < 2*(value+len(n.Value)); i++ {
				text[i] = '*'
			}
		}
		at += len(n.Raw)
	}
}

// Wipe forgets the PANs.
func (m *Masker) Wipe() {
	for _, p := range m.pans {
		p.Wipe()
	}
	m.pans = nil
}

func (m *Masker) remember(tag Tag, value []byte) {
	pan := secret.New([]byte(panIn(tag, value)))
	if pan.Len() < minPAN || len(m.pans) == maxPANs {
		return
	}
	for _, p := range m.pans {
		if p.Equal(pan) {
			return
		}
	}
	m.pans = append(m.pans, pan)
}

// hide puts stars over every PAN remembered, as packed digits and as characters.
func (m *Masker) hide(text string) string {
	for _, p := range m.pans {
		digits := string(p.Expose())
		text = strings.ReplaceAll(text, digits, strings.Repeat("*", len(digits)))
		coded := hex.EncodeToString(p.Expose())
		text = strings.ReplaceAll(text, coded, strings.Repeat("*", len(coded)))
	}
	return text
}

func hidden(bytes int) string { return fmt.Sprintf("[%d bytes hidden]", bytes) }
