package msg

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"tallystick.example/internal/cli"
	"tallystick.example/iso8583"
)

// maxInput bounds the input: the longest frame in hexadecimal with blanks.
const maxInput = 3 * (iso8583.MaxFramed + 16)

// Forms of the input.
const (
	formAuto   = "auto"
	formHex    = "hex"
	formBinary = "binary"
)

// decodeInput gives the bytes of a message. In form auto, input of nothing but
// hexadecimal digits is hexadecimal, unless its bytes cannot begin a message of
// this dialect while the characters can.
func (d *Dialect) decodeInput(in []byte, form string) ([]byte, error) {
	switch form {
	case formBinary:
		return in, nil
	case formHex, formAuto:
	default:
		return nil, cli.Fail(cli.ExitUsage, fmt.Sprintf("there is no form %q", form), "name auto, hex or binary", nil)
	}
	raw, err := unhex(in)
	switch {
	case err == nil && (form == formHex || !d.inCharacters() || digits(raw) || !digits(in)):
		return raw, nil
	case form == formHex:
		return nil, cli.Fail(cli.ExitUsage, "the input is not hexadecimal", "two digits for each byte; blanks, colons and line breaks may stand between", err)
	case d.inCharacters():
		return bytes.TrimRight(in, "\r\n"), nil // the line break of an editor
	}
	return in, nil
}

// inCharacters reports whether the message type is written in ASCII.
func (d *Dialect) inCharacters() bool { return d.spec.Fields[0].Enc == "ASCII" }

// digits reports whether b begins with the four digits of a message type.
func digits(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	for _, c := range b[:4] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// unhex reads hexadecimal digits with blanks, colons and line breaks between.
func unhex(in []byte) ([]byte, error) {
	out := make([]byte, 0, len(in)/2)
	for _, c := range in {
		switch c {
		case ' ', '\t', '\r', '\n', ':':
		default:
			out = append(out, c)
		}
	}
	n, err := hex.Decode(out, out)
	if err != nil {
		var wrong hex.InvalidByteError
		if errors.As(err, &wrong) {
			return nil, errors.New("a character is no hexadecimal digit") // which one may be a digit of a PAN's text
		}
		return nil, errors.New("the number of digits is odd")
	}
	return out[:n], nil
}

// framingOf finds a framing by the name of its length header; "none" is a message
// without a frame.
func framingOf(name string) (g iso8583.Framing, framed bool, err error) {
	if name == "none" {
		return g, false, nil
	}
	h, ok := iso8583.LengthHeaderOf(name)
	if !ok {
		return g, false, cli.Fail(cli.ExitUsage, fmt.Sprintf("there is no frame %q", name),
			fmt.Sprintf("name none or one of %v", iso8583.LengthHeaderNames()), nil)
	}
	return iso8583.Framing{Header: h, MaxBody: iso8583.MaxFramed}, true, nil
}

// elementNumber is the number of an element, or -1.
func elementNumber(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s {
		return -1
	}
	return n
}
