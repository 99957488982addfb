package msg

import (
	"bytes"
	"fmt"

	"tallystick.example/emv"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// Redact gives the message without card data, so that it can be passed on: every
// field keeps its place and length. Of a PAN the first six and the last four
// digits stay; tracks, PIN blocks, keys, sensitive tags and what may be a PAN in
// free text are overwritten. A MAC is then wrong. The error is a *[cli.Failure]:
// a message that cannot be read cannot be redacted.
func (d *Dialect) Redact(raw []byte) ([]byte, error) {
	m := codec.NewMessage(d.program)
	if err := m.Unpack(raw); err != nil {
		return nil, cli.Fail(cli.ExitFailed, "the message cannot be read, so nothing of it is given out", "see simulator msg explain", err)
	}
	out := bytes.Clone(raw)
	if d.terminal {
		t, err := iso8583.Unpack(raw)
		if err == nil {
			out, err = iso8583.PackMasked(t)
		}
		if err == nil && len(out) != len(raw) {
			err = fmt.Errorf("%d bytes became %d", len(raw), len(out))
		}
		if err != nil {
			return nil, cli.Fail(cli.ExitFailed, "the private data cannot be read, so nothing of the message is given out", "see simulator msg explain", err)
		}
	}
	e := explainer{d: d, m: m, raw: raw, report: &Report{}}
	e.findPANs()
	for de := 2; de <= codec.MaxElement; de++ {
		if v := m.Value(de); v.Present() && !(d.terminal && de == 63) {
			e.redact(out, fmt.Sprint(de), de, v)
		}
	}
	return out, d.clean(out, &e.mask)
}

// redact overwrites in out what shown would mask.
func (e *explainer) redact(out []byte, path string, de int, v codec.Value) {
	if v.Kind() == codec.Composite {
		for sub := range v.Subfields() {
			e.redact(out, path+"."+sub.Key(), de, sub)
		}
		return
	}
	if off := v.Offset(); off >= 0 {
		at := out[off : off+len(v.Wire())]
		switch {
		case de == 2:
			blank(at, v, 6, 4)
		case de == 55 && v.Kind() == codec.Bytes && parsed(v) != nil:
			e.redactTags(at, parsed(v))
		case e.shown(path, de, v).Masked:
			blank(at, v, 0, 0)
		}
	}
}

// redactTags overwrites the values of sensitive objects; data hold nodes.
func (e *explainer) redactTags(data []byte, nodes []ber.Node) {
	for _, n := range nodes {
		for len(data) > 0 && data[0] == 0 { // filler
			data = data[1:]
		}
		value := data[len(n.Raw)-len(n.Value) : len(n.Raw)]
		entry, known := emv.Lookup(emv.Tag(n.Tag))
		switch {
		case entry.Sensitive, scripts[n.Tag], !known && bytesMayHold(n.Value), e.mask.known(hexOf(n.Value)) != hexOf(n.Value):
			clear(value)
		case n.Constructed():
			e.redactTags(value, n.Children)
		}
		data = data[len(n.Raw):]
	}
}

// blank overwrites the units of a value in their own encoding but for the first
// head and the last tail: digits with 1, which is also a month and an expiry,
// letters with X, bytes with zeros. Separators stay, so that a track is still one.
func blank(wire []byte, v codec.Value, head, tail int) {
	n := v.Len()
	if head+tail >= n {
		head, tail = 0, 0
	}
	odd := 0
	if v.Encoding() == codec.BCD && n%2 == 1 {
		odd = 1 // the filling nibble in front
	}
	for i := head; i < n-tail; i++ {
		switch v.Encoding() {
		case codec.BCD, codec.LBCD:
			at := i + odd
			shift := 4 * (1 - at%2)
			if wire[at/2]>>shift&15 <= 9 {
				wire[at/2] = wire[at/2]&^(15<<shift) | 1<<shift
			}
		case codec.EBCDIC, codec.EBCDIC1047:
			wire[i] = overwritten(wire[i], 0xF0, 0xF9, 0xF1, 0xE7)
		case codec.HexToASCII:
			wire[2*i], wire[2*i+1] = '0', '0'
		case codec.Binary, codec.ASCIIToHex:
			wire[i] = 0
		default:
			wire[i] = overwritten(wire[i], '0', '9', '1', 'X')
		}
	}
}

// overwritten replaces a character that is a digit or, by its place in ASCII and
// EBCDIC alike, a letter.
func overwritten(c, zero, nine, one, letter byte) byte {
	switch {
	case c >= zero && c <= nine:
		return one
	case zero == '0' && (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'), zero == 0xF0 && c >= 0x81 && c != 0xA1 && c < 0xF0 && c != 0xC0 && c != 0xD0 && c != 0xE0:
		return letter
	}
	return c
}

// clean makes sure that a redacted message can be read and holds none of the PANs.
func (d *Dialect) clean(out []byte, k *masker) error {
	m := codec.NewMessage(d.program)
	err := m.Unpack(out)
	if err == nil && k.known(hexOf(out)) != hexOf(out) {
		err = fmt.Errorf("a card number is left outside its place")
	}
	if err != nil {
		return cli.Fail(cli.ExitInternal, "the message could not be redacted; nothing of it is given out", "", err)
	}
	return nil
}
