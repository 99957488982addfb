package tally

import (
	"bytes"
	"encoding/hex"

	"tallystick.example/iso8583"
)

// onWire proves from the recorded wire that no KSN protects two different
// messages, that no payment request was sent twice, that nothing was sent which
// the journal does not know, and that the host's answers say what its rows say.
func (c *checker) onWire() {
	ksns := map[string][]byte{}
	sent := map[key]bool{}
	for n, w := range c.wire {
		raw, err := hex.DecodeString(w.Raw)
		if err != nil {
			c.find("wire", key{}, "record %d is not hexadecimal", n+1)
			continue
		}
		m, err := iso8583.Unpack(raw)
		if err != nil {
			c.find("wire", key{}, "record %d cannot be read: %v", n+1, err)
			continue
		}
		p, err := m.Private()
		if err != nil {
			c.find("wire", key{}, "DE 63 of record %d cannot be read: %v", n+1, err)
			continue
		}
		k := key{m.Text(41), hex.EncodeToString(p.AttemptID[:])}
		if m.MTI().IsAnswer() {
			c.answered(k, m)
			continue
		}
		for _, ksn := range [][]byte{p.MACKSN, p.PINKSN} {
			if before, used := ksns[string(ksn)]; used && len(ksn) > 0 && !bytes.Equal(before, raw) {
				c.find("ksn-twice", k, "a KSN protects two different messages (second is record %d)", n+1)
			}
			ksns[string(ksn)] = raw
		}
		if m.MTI().Class() == iso8583.ClassPayment {
			if sent[k] {
				c.find("sent-twice", k, "a %s was sent a second time (record %d)", m.MTI(), n+1)
			}
			sent[k] = true
			if _, known := c.journals[k]; !known {
				c.find("sent-before-written", k, "a %s left, but the journal does not know the attempt", m.MTI())
			}
		}
	}
}

// answered compares an approval that left the host with its row: what was said
// to be approved is approved, or was undone later.
func (c *checker) answered(k key, m *iso8583.Message) {
	if m.MTI().Class() != iso8583.ClassPayment || m.Text(39) != "00" {
		return
	}
	h, known := c.hosts[k]
	if !known || h.State != "approved" && h.State != "reversed" {
		c.find("answered-before-written", k, "an approval left the host, whose row says %s", state(h.State, known))
	}
}
