package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	moov "github.com/moov-io/iso8583"
	connection "github.com/moov-io/iso8583-connection"

	"tallystick.example/iso8583"
	"tallystick.example/iso8583/codec"
)

// A client sends one request and waits for its answer.
type client interface {
	Exchange() error
	Close() error
}

// dial connects a client of a kind.
func dial(kind, addr string, config *tls.Config) (client, error) {
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindRaw:
		return &rawClient{conn: c, out: must(iso8583.AppendFrame(nil, iso8583.Frame{Body: sample})), in: make([]byte, iso8583.MaxMessage)}, nil
	case kindOurs:
		return &ourClient{conn: c, request: codec.NewMessage(program), answer: codec.NewMessage(program), buf: make([]byte, iso8583.MaxMessage)}, nil
	case kindMoov:
		conn, err := connection.NewFrom(c, moovSpec, readLength, writeLength)
		return &moovClient{conn: conn}, err
	}
	return nil, errors.Join(fmt.Errorf("there is no client %q", kind), c.Close())
}

// A rawClient sends the same bytes and reads one frame.
type rawClient struct {
	conn    *tls.Conn
	out, in []byte
}

func (c *rawClient) Exchange() error {
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	have, want := 0, 2
	for have < want {
		n, err := c.conn.Read(c.in[have:])
		if err != nil {
			return err
		}
		if have += n; have >= 2 {
			want = 2 + int(c.in[0])<<8 + int(c.in[1])
		}
	}
	if have != want {
		return errors.New("more than one answer came")
	}
	return nil
}

func (c *rawClient) Close() error { return c.conn.Close() }

// An ourClient packs each request and checks each answer.
type ourClient struct {
	conn            *tls.Conn
	request, answer *codec.Message
	stan            int64
	body, out, buf  []byte
}

func (c *ourClient) Exchange() error {
	if err := c.request.Unpack(sample); err != nil {
		return err
	}
	c.stan = c.stan%999999 + 1
	c.request.SetNumber(11, c.stan)
	var err error
	if c.body, err = c.request.AppendTo(c.body[:0]); err != nil {
		return err
	}
	if c.out, err = iso8583.AppendFrame(c.out[:0], iso8583.Frame{Body: c.body}); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	f, err := iso8583.ReadFrame(c.conn, c.buf, iso8583.Limits{})
	if err != nil {
		return err
	}
	if err := c.answer.Unpack(f.Body); err != nil {
		return err
	}
	if n, ok := c.answer.Value(11).Number(); !ok || n != c.stan {
		return errors.New("the answer is for another request")
	}
	return nil
}

func (c *ourClient) Close() error { return c.conn.Close() }

// A moovClient is the peer's client as its documentation shows it.
type moovClient struct {
	conn *connection.Connection
	stan int
}

func (c *moovClient) Exchange() error {
	m := moov.NewMessage(moovSpec)
	if err := m.Unpack(sample); err != nil {
		return err
	}
	c.stan = c.stan%999999 + 1
	if err := m.Field(11, fmt.Sprintf("%06d", c.stan)); err != nil {
		return err
	}
	answer, err := c.conn.Send(m)
	if err != nil {
		return err
	}
	if v, err := answer.GetString(39); err != nil || v != "00" {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	return nil
}

func (c *moovClient) Close() error { return c.conn.Close() }
