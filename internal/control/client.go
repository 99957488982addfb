package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
)

// Call sends one request to the program on the socket at path. Each event goes
// to onEvent, which may be nil; the result is decoded into result, which may be
// nil. A refusal is an *Error; ErrNotRunning tells that nobody listens.
func Call(ctx context.Context, path, command string, args any, onEvent func(json.RawMessage), result any) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("%w (socket %s)", ErrNotRunning, path)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := request(c, command, args); err != nil {
		return err
	}
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("the program's answer to %s: %w", command, err)
		}
		switch {
		case l.Error != nil:
			return l.Error
		case l.Done:
			if result == nil {
				return nil
			}
			return json.Unmarshal(l.Result, result)
		case onEvent != nil:
			onEvent(bytes.Clone(l.Event))
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(fmt.Errorf("the program ended before it answered %s", command), lines.Err())
}

func request(c net.Conn, command string, args any) error {
	r := Request{Command: command}
	if args != nil {
		b, err := json.Marshal(args)
		if err != nil {
			return fmt.Errorf("encoding the arguments of %s: %w", command, err)
		}
		r.Args = b
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := c.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("asking for %s: %w", command, err)
	}
	return nil
}
