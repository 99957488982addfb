package msg

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/framed"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
)

// A Target is the host that a message is sent to.
type Target struct {
	Address string
	TLS     *tls.Config // nil for plain TCP
	Framing iso8583.Framing
	TPDU    iso8583.TPDU
	Timeout time.Duration // for connecting, sending and the answer together
}

// Send sends one message and gives the first answer that is a message. The error
// is a *[cli.Failure] with the code for what cannot be reached.
func (t Target) Send(ctx context.Context, body []byte) (iso8583.Frame, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	f, err := t.exchange(ctx, body)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, iso8583.ErrFrame):
		return f, cli.Fail(cli.ExitFailed, "the answer is no frame of this kind", "try another --frame", err)
	}
	return f, cli.Fail(cli.ExitUnavailable, "there is no answer", "look at address, TLS and --frame; try again", err)
}

func (t Target) exchange(ctx context.Context, body []byte) (iso8583.Frame, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return iso8583.Frame{}, err
	}
	defer func() { _ = conn.Close() }() // the answer is here, or an error that says more
	deadline, _ := ctx.Deadline()
	if err := conn.SetWriteDeadline(deadline); err != nil {
		return iso8583.Frame{}, err
	}
	if err := t.Framing.Write(conn, iso8583.Frame{TPDU: t.TPDU, Body: body}); err != nil {
		return iso8583.Frame{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }) // ends the wait below
	defer stop()
	wait := max(time.Until(deadline), time.Millisecond)
	in, err := framed.NewReader(conn, t.Framing, framed.Deadlines{Idle: wait, Frame: wait})
	if err != nil {
		return iso8583.Frame{}, err
	}
	for {
		f, err := in.Next(ctx, nil)
		if err != nil || !f.IsControl() {
			return f, err
		}
	}
}

func (t Target) dial(ctx context.Context) (net.Conn, error) {
	if t.TLS == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
	}
	return (&tls.Dialer{Config: t.TLS}).DialContext(ctx, "tcp", t.Address)
}

// A tlsFiles names the files of a TLS connection.
type tlsFiles struct {
	on                  bool
	ca, cert, key, name string
}

// config reads the files. Without a CA the system's are trusted; without a
// certificate the client has none. TLS 1.2 is still spoken, as older hosts need.
func (f tlsFiles) config(address string) (*tls.Config, error) {
	if !f.on && f.ca == "" && f.cert == "" {
		return nil, nil
	}
	name := f.name
	if name == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, usage("the address is not HOST:PORT", "", err)
		}
		name = host
	}
	cfg := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := readFile(f.ca, 1<<20)
		if err != nil {
			return nil, err
		}
		if cfg.RootCAs, err = xtls.Pool(pem); err != nil {
			return nil, usage("the CA cannot be used", "name a PEM file", err)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, usage("a client certificate needs --cert and --key", "", nil)
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, usage("the client certificate cannot be used", "name the PEM files of certificate and key", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// tpduOf reads a TPDU in hexadecimal; an empty one is none.
func tpduOf(s string) (t iso8583.TPDU, err error) {
	if s == "" {
		return t, nil
	}
	b, err := unhex([]byte(s))
	if err == nil && (len(b) != len(t) || b[0] != 0x60) {
		err = fmt.Errorf("it has %d bytes", len(b))
	}
	if err != nil {
		return t, usage("the TPDU is not 5 bytes that begin with 60", "such as 6000010000", err)
	}
	return iso8583.TPDU(b), nil
}
