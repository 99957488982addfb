package authorize

import (
	"fmt"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/iso8583"
)

// A Message is an authenticated message of a terminal: its certificate named
// the terminal, and the boundary found the MAC valid.
type Message struct {
	*iso8583.Message
	Private iso8583.Private
	Opened  api.Opened
}

// A Reply is what the gateway seals and sends.
type Reply struct {
	Answer *iso8583.Message // without MAC
	ARC    string           // asks the boundary for an ARPC, empty for none
}

// answer builds an answer to m with DE 37 and DE 39.
func answer(m Message, rrn, code string) (*iso8583.Message, error) {
	a, err := iso8583.Answer(m.Message, code)
	if err != nil {
		return nil, fmt.Errorf("building an answer: %w", err)
	}
	if rrn != "" {
		a.SetText(37, rrn)
	}
	if m.MTI().Class() == iso8583.ClassReconciliation {
		a.SetDigits(66, "9") // not compared
	}
	return a, a.Err()
}
