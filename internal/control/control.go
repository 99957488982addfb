// Package control is the control socket of a program: JSON lines over a Unix
// socket with mode 0600, for the commands that ask a running program.
//
// A client sends one Request line; the program answers with any number of Event
// lines and one last Reply line. One connection carries one request.
package control

import (
	"encoding/json"
	"errors"
	"fmt"
)

// maxLine bounds a line in either direction.
const maxLine = 1 << 20

// A Request asks for one command.
type Request struct {
	Command string          `json:"command"`
	Args    json.RawMessage `json:"args,omitempty"`
}

// A line is what a program sends: an event, a result or an error.
type line struct {
	Event  json.RawMessage `json:"event,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
	Done   bool            `json:"done,omitempty"`
}

// An Error is a refusal by the running program. Exit is one of cli's exit codes.
type Error struct {
	What string `json:"what"`
	Next string `json:"next,omitempty"`
	Exit int    `json:"exit"`
}

// Error is what happened.
func (e *Error) Error() string { return e.What }

// ErrNotRunning means that no program listens on the socket.
var ErrNotRunning = errors.New("the program is not running")

// DecodeArgs reads the arguments of a request strictly into v.
func DecodeArgs(r Request, v any) error {
	if err := decodeStrict(r.Args, v); err != nil {
		return fmt.Errorf("arguments of %s: %w", r.Command, err)
	}
	return nil
}
