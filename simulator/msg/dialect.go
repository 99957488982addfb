package msg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tallystick.example/internal/cli"
	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
	"tallystick.example/iso8583/spec"
)

// A Dialect is how the messages are written.
type Dialect struct {
	Name     string
	spec     *spec.Spec
	program  *codec.Program
	terminal bool // the terminal interface, whose private data are known
	notes    []string
}

// terminalName is the name of the dialect of the terminal interface.
const terminalName = "terminal"

// Open finds a dialect: "terminal", one of [spec.Dialects], or a file with a
// specification in JSON or a packager of jPOS in XML. The error is a
// *[cli.Failure].
func Open(name string) (*Dialect, error) {
	d := &Dialect{Name: name, terminal: name == terminalName}
	var err error
	if d.spec, err = d.load(); err != nil {
		return nil, err
	}
	if d.program, err = d.spec.Program(); err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the specification cannot be used", "change that field", err)
	}
	return d, nil
}

func (d *Dialect) load() (*spec.Spec, error) {
	if s, ok := spec.Dialect(d.Name); ok {
		return s, nil
	}
	if d.terminal {
		raw, err := iso8583.SpecJSON()
		if err != nil {
			return nil, cli.Fail(cli.ExitInternal, "the terminal interface cannot be loaded", "", err)
		}
		return spec.Load(raw)
	}
	if !strings.ContainsAny(d.Name, "./\\") {
		return nil, cli.Fail(cli.ExitUsage, fmt.Sprintf("there is no dialect %q", d.Name),
			"name terminal, "+strings.Join(spec.Dialects(), ", ")+", or a file .json or .xml", nil)
	}
	raw, err := readFile(d.Name, spec.MaxSize)
	if err != nil {
		return nil, err
	}
	var s *spec.Spec
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("<")) {
		s, d.notes, err = spec.LoadJPOS(raw)
	} else {
		s, err = spec.Load(raw)
	}
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the specification cannot be used", "change these fields", err)
	}
	return s, nil
}

// field finds the specification of a path such as "48.3".
func (d *Dialect) field(path string) *spec.Field {
	head, rest, more := strings.Cut(path, ".")
	f := d.spec.Fields[elementNumber(head)]
	for more && f != nil {
		head, rest, more = strings.Cut(rest, ".")
		f = f.Subfields[head]
	}
	return f
}

// name is what the specification calls a field.
func (d *Dialect) name(path string) string {
	if f := d.field(path); f != nil {
		return f.Description
	}
	return ""
}

// readFile reads a file of at most most bytes; "-" is standard input.
func readFile(path string, most int) ([]byte, error) {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, cli.Fail(cli.ExitUsage, "the file cannot be read", "name a file, or - for standard input", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	return readAll(in, most)
}

func readAll(in io.Reader, most int) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	if err == nil && len(raw) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	if err == nil && len(raw) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, "the input cannot be read", "give a message in hexadecimal or binary", err)
	}
	return raw, nil
}
