package kernel

import (
	"context"
	"fmt"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

const stepScripts = "issuer scripts"

// Limits of what an issuer may send. The standard promises 128 bytes of scripts
// a message (B3 10.10); DE 55 holds at most 999.
const (
	maxScripts        = 16
	maxScriptCommands = 32
)

// Results of a script in the high half of its first result byte (B4 Annex A5).
const (
	scriptNotPerformed byte = 0x00
	scriptFailed       byte = 0x10
	scriptSucceeded    byte = 0x20
)

// runScripts sends the commands of every template tag among nodes (B3 10.10) and
// adds five bytes a script to the results: what became of it, the number of the
// command that failed, and its identifier. A script that fails sets the bit of
// the TVR and stops; the next one runs all the same. An error means that the
// card is gone.
func (s *Session) runScripts(ctx context.Context, nodes []ber.Node, tag emv.Tag, failed emv.Bit) error {
	count := 0
	for _, n := range nodes {
		if n.Tag != uint32(tag) || count == maxScripts {
			continue
		}
		count++
		s.setTSI(emv.TSIScript)
		id, commands, ok := parseScript(n)
		result := scriptNotPerformed
		var err error
		if ok {
			result, err = s.runScript(ctx, commands)
		}
		s.scripts = append(append(s.scripts, result), id...)
		s.terminal.Set(emv.TagScriptResults, s.scripts)
		if result != scriptSucceeded {
			s.setTVR(failed)
		}
		s.ask.observe(stepScripts, "B3 10.10", fmt.Sprintf("script %v: result %02X", tag, result), "")
		if err != nil {
			return err
		}
	}
	return nil
}

// parseScript takes a script apart: the identifier, zeros without one, and the
// commands in order. ok is false when it is malformed: then nothing of it is sent.
func parseScript(script ber.Node) (id []byte, commands [][]byte, ok bool) {
	id = make([]byte, 4)
	for _, n := range script.Children {
		switch emv.Tag(n.Tag) {
		case emv.TagScriptID:
			if len(n.Value) != len(id) {
				return id, nil, false
			}
			copy(id, n.Value)
		case emv.TagScriptCommand:
			if len(n.Value) < 4 || len(n.Value) > 261 || len(commands) == maxScriptCommands {
				return id, nil, false
			}
			commands = append(commands, n.Value)
		}
	}
	return id, commands, true
}

// runScript sends commands until one fails: an answer other than 9000, 62xx and
// 63xx. The low half of the result is the number of that command, F for 15 and more.
func (s *Session) runScript(ctx context.Context, commands [][]byte) (byte, error) {
	for i, c := range commands {
		number := byte(min(i+1, 15))
		capdu := append([]byte(nil), c...)
		_, sw, err := exchange(ctx, s.card, stepScripts, capdu)
		if err != nil {
			return scriptFailed | number, err
		}
		if sw != emv.SWOK && sw.Class() != "warning" {
			return scriptFailed | number, nil
		}
	}
	return scriptSucceeded, nil
}
