package main

import (
	"encoding/hex"
	"fmt"

	moov "github.com/moov-io/iso8583"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// program is the terminal interface, compiled; moovSpec the same for the peer.
var (
	program  = must(codec.Compile(iso8583.Spec()))
	moovSpec = iso8583.Spec()
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the specification and the sample are part of the program
	}
	return v
}

// sample is a 0200 with DE 55 of 15 tags, as a terminal sends it.
var sample = must(buildSample())

func buildSample() ([]byte, error) {
	m := codec.NewMessage(program)
	m.Reset(program)
	for de, v := range map[int]string{
		0: "0200", 3: "000000", 4: "000000001234", 7: "1124130509", 11: "001234", 12: "140509", 13: "1124", 22: "051", 23: "001",
		25: "00", 26: "12", 37: "332812001234", 41: "TERM0001", 42: "MERCHANT0000001", 49: "840",
	} {
		m.SetText(de, v)
	}
	for de, v := range map[int]string{
		52: "0123456789ABCDEF", 64: "1122334455667788",
		55: "9F26081122334455667788" + "9F2701809F10120110A00003220000000000000000000000FF" + "9F370412345678" + "9F36020042" + "950508000080009A032511249C0100" +
			"9F02060000000012345F2A020840" + "820218009F1A0208409F03060000000000009F3303E0F0C89F34034203009F3501228407A0000000031010",
		63: "0110000102030405060708090A0B0C0D0E0F030CFFFF9876543210E000000001",
	} {
		b, err := hex.DecodeString(v)
		if err != nil {
			return nil, err
		}
		m.SetBytes(de, b)
	}
	return m.AppendTo(nil)
}

// answerOurs makes the answer to a request in place: what an echo host does with
// the codec. It reads eight fields, as a host must to find the terminal.
func answerOurs(m *codec.Message, dst, body []byte) ([]byte, error) {
	if err := m.Unpack(body); err != nil {
		return nil, err
	}
	for _, de := range [...]int{3, 4, 11, 22, 41, 42, 49, 55} {
		if v := m.Value(de); v.Len() == 0 {
			return nil, fmt.Errorf("DE %d is missing", de)
		}
	}
	m.SetText(0, "0210")
	m.SetText(39, "00")
	return m.AppendTo(dst)
}

// answerMoov is the same with the peer's message.
func answerMoov(m *moov.Message) error {
	m.MTI("0210")
	return m.Field(39, "00")
}
