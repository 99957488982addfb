package card

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Serve lets one reader at a time use the card of slot through l, until ctx
// ends. A reader that goes takes the power away, as pulling the card does; a
// second one waits for that.
func Serve(ctx context.Context, l net.Listener, slot *Slot) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the card's socket: %w", err)
		}
		if err := serveReader(ctx, c, slot); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// serveReader answers one reader. Only what the card itself cannot go on from is
// an error; a reader that breaks the protocol is disconnected.
func serveReader(ctx context.Context, c net.Conn, slot *Slot) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	for {
		f, err := readFrame(c)
		if err != nil {
			break
		}
		if err := writeFrame(c, answerFrame(ctx, slot, f)); err != nil {
			break
		}
		if err := slot.card.log.Err(); err != nil {
			return err
		}
	}
	return slot.PowerOff(ctx)
}

func answerFrame(ctx context.Context, slot *Slot, f frame) frame {
	var (
		out []byte
		err error
	)
	switch {
	case f.kind == framePowerOn && len(f.content) == 1:
		out, err = slot.PowerOn(ctx, f.content[0])
	case f.kind == framePowerOff && len(f.content) == 0:
		err = slot.PowerOff(ctx)
	case f.kind == frameTransmit:
		out, err = slot.Transmit(ctx, f.content)
	default:
		err = errors.New("a frame of an unknown kind")
	}
	switch {
	case errors.Is(err, ErrMute):
		return frame{kind: frameMute}
	case err != nil:
		return frame{kind: frameError, content: []byte(err.Error())}
	default:
		return frame{kind: frameAnswer, content: out}
	}
}

// Listen makes the socket of a card at path, readable by its owner only. A
// socket that a killed process left behind is replaced; one that is in use is
// refused.
func Listen(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		return nil, errors.Join(fmt.Errorf("another card is served at %s", path), c.Close())
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("the card's socket: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("the card's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("the card's socket: %w", err), l.Close())
	}
	return l, nil
}

// A Client is a card in another process, as a reader uses it: see Slot. One
// goroutine uses it.
type Client struct{ conn net.Conn }

// Dial connects to the card that is served at path.
func Dial(ctx context.Context, path string) (*Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("reaching the card: %w", err)
	}
	return &Client{conn: c}, nil
}

// Close pulls the card.
func (c *Client) Close() error { return c.conn.Close() }

// PowerOn resets the card and gives its answer to reset.
func (c *Client) PowerOn(ctx context.Context, protocol byte) ([]byte, error) {
	return c.ask(ctx, frame{kind: framePowerOn, content: []byte{protocol}})
}

// PowerOff takes the power away.
func (c *Client) PowerOff(ctx context.Context) error {
	_, err := c.ask(ctx, frame{kind: framePowerOff})
	return err
}

// Transmit carries one TPDU of T=0 or one block of T=1.
func (c *Client) Transmit(ctx context.Context, block []byte) ([]byte, error) {
	return c.ask(ctx, frame{kind: frameTransmit, content: block})
}

// answerTime bounds the wait for a card in another process, which computes a few
// ciphers and at most syncs its state.
const answerTime = 10 * time.Second

func (c *Client) ask(ctx context.Context, f frame) ([]byte, error) {
	deadline := time.Now().Add(answerTime)
	if d, there := ctx.Deadline(); there && d.Before(deadline) {
		deadline = d
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("reaching the card: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	if err := writeFrame(c.conn, f); err != nil {
		return nil, err
	}
	r, err := readFrame(c.conn)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the card's process has ended")
	case err != nil:
		return nil, err
	case r.kind == frameMute:
		return nil, ErrMute
	case r.kind == frameError:
		return nil, fmt.Errorf("the card: %s", r.content)
	case r.kind != frameAnswer:
		return nil, errors.New("the card's process answers with an unknown frame")
	}
	return r.content, nil
}
