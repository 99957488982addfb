package server_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"tallystick.example/internal/hsm/wire"
)

// raw is a connection below the client.
func raw(t *testing.T, socket string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, c net.Conn, f wire.Frame) {
	t.Helper()
	if err := wire.WriteFrame(c, f); err != nil {
		t.Fatal(err)
	}
}

func hello(t *testing.T, h wire.Hello) []byte {
	t.Helper()
	b, err := wire.Greet.Req.Append(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// status reads one answer.
func status(t *testing.T, c net.Conn) wire.Status {
	t.Helper()
	f, err := wire.ReadFrame(c)
	if err != nil || !f.Answer || len(f.Payload) == 0 {
		t.Fatalf("no answer: %+v, %v", f, err)
	}
	return wire.Status(f.Payload[0])
}

// closed waits for the end of the connection without any further answer. A
// reset is an end too: the server closed with bytes of ours unread.
func closed(t *testing.T, name string, c net.Conn) {
	t.Helper()
	f, err := wire.ReadFrame(c)
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%s: answered with %+v, %v", name, f, err)
	}
}

// What does not follow the protocol ends its connection and disturbs no other.
func TestProtocolErrorsCloseTheConnection(t *testing.T) {
	b := newBoundary(t)
	b.start(t)
	defer b.stop(t)
	good := wire.Hello{Magic: wire.Magic, Min: wire.Version, Max: wire.Version}
	greeted := func() net.Conn {
		c := raw(t, b.config.Socket)
		send(t, c, wire.Frame{Op: wire.Greet.Code, Payload: hello(t, good)})
		if s := status(t, c); s != wire.OK {
			t.Fatalf("greeting: status %d", s)
		}
		return c
	}
	witness := greeted()
	for name, f := range map[string]wire.Frame{
		"an operation before the greeting": {Op: wire.Release.Code, ID: 1, Payload: make([]byte, 8)},
		"another text":                     {Op: wire.Greet.Code, Payload: hello(t, wire.Hello{Min: wire.Version, Max: wire.Version})},
		"a long greeting":                  {Op: wire.Greet.Code, Payload: append(hello(t, good), 0)},
	} {
		c := raw(t, b.config.Socket)
		send(t, c, f)
		closed(t, name, c)
	}
	c := raw(t, b.config.Socket)
	send(t, c, wire.Frame{Op: wire.Greet.Code, Payload: hello(t, wire.Hello{Magic: wire.Magic, Min: wire.Version + 1, Max: 99})})
	if s := status(t, c); s != wire.Refused {
		t.Errorf("a later version: status %d", s)
	}
	closed(t, "a later version", c)
	for name, f := range map[string]wire.Frame{
		"administration on the socket for payments": {Op: wire.Info.Code, ID: 1},
		"an unknown operation":                      {Op: 99, ID: 1},
		"a second greeting":                         {Op: wire.Greet.Code, ID: 1, Payload: hello(t, good)},
		"an answer":                                 {Op: wire.Release.Code, ID: 1, Answer: true, Payload: make([]byte, 8)},
	} {
		c := greeted()
		send(t, c, f)
		closed(t, name, c)
	}
	c = greeted()
	if _, err := c.Write([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	closed(t, "an oversized frame", c)

	send(t, witness, wire.Frame{Op: wire.Verify.Code, ID: 7, Payload: []byte("malformed")})
	if s := status(t, witness); s != wire.BadInput {
		t.Errorf("a malformed request in a good frame: status %d", s)
	}
	send(t, witness, wire.Frame{Op: wire.Release.Code, ID: 8, Payload: make([]byte, 8)})
	if s := status(t, witness); s != wire.OK {
		t.Errorf("the connection of another: status %d", s)
	}
}

// A half frame holds nothing up: the boundary ends while it waits for the rest.
func TestHalfAFrame(t *testing.T) {
	b := newBoundary(t)
	b.start(t)
	c := raw(t, b.config.Socket)
	if _, err := c.Write([]byte{0, 0, 0, 20, 1}); err != nil {
		t.Fatal(err)
	}
	b.stop(t)
	if _, err := io.ReadAll(c); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Error("the boundary ended and left a connection open")
		}
	}
}
