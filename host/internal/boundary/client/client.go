// Package client is the host's way to the HSM boundary: [api.HSM] over the
// boundary's Unix sockets.
//
// Payments and administration have a socket each. A broken connection is dialled
// again with a growing pause; meanwhile every call fails at once with
// [api.ErrUnavailable], which says that nothing is known of it and that it may
// be asked again. Handles die with the connection that opened them.
package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/hsm/wire"
	"tallystick.example/internal/pure/secret"
)

// Options are what [New] needs.
type Options struct {
	// Socket is the boundary's socket for payments.
	Socket string
	// AdminSocket is its socket for administration; without it the operations of
	// [api.Administration] give api.ErrPolicy.
	AdminSocket string
	Log         logrus.FieldLogger
}

// A Client is a connection to a boundary. It implements [api.HSM]; its methods
// may be called by many goroutines at once.
type Client struct {
	payments *link
	admin    *link // nil without a socket for administration
}

var _ api.HSM = (*Client)(nil)

// New makes a client. It dials when the first call comes.
func New(o Options) (*Client, error) {
	if o.Socket == "" || o.Log == nil {
		return nil, errors.New("boundary client: a socket and a logger are needed")
	}
	c := &Client{payments: newLink(o.Socket, false, o.Log)}
	if o.AdminSocket != "" {
		c.admin = newLink(o.AdminSocket, true, o.Log)
	}
	return c, nil
}

// Close ends the connections; calls in flight give api.ErrUnavailable.
func (c *Client) Close() {
	c.payments.close()
	if c.admin != nil {
		c.admin.close()
	}
}

// waitStep is how often Wait asks again.
const waitStep = 20 * time.Millisecond

// Wait returns when the boundary takes connections for payments, or with the
// error of ctx. A boundary that waits for its custodians takes connections and
// answers api.ErrUnavailable to everything.
func (c *Client) Wait(ctx context.Context) error {
	t := time.NewTicker(waitStep)
	defer t.Stop()
	for {
		_, err := c.payments.get(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the boundary: %w (%w)", context.Cause(ctx), err)
		case <-t.C:
		}
	}
}

// Open authenticates a message; see [api.Boundary].
func (c *Client) Open(ctx context.Context, r api.OpenRequest) (api.Opened, error) {
	return call(ctx, c.payments, wire.Open, r)
}

// Verify checks PIN, cryptogram and card code; see [api.Boundary].
func (c *Client) Verify(ctx context.Context, r api.VerifyRequest) (api.Verdict, error) {
	return call(ctx, c.payments, wire.Verify, r)
}

// Seal finishes an answer; see [api.Boundary].
func (c *Client) Seal(ctx context.Context, r api.SealRequest) (api.Sealed, error) {
	return call(ctx, c.payments, wire.Seal, r)
}

// Release forgets a handle; see [api.Boundary].
func (c *Client) Release(ctx context.Context, h api.Handle) error {
	_, err := call(ctx, c.payments, wire.Release, h)
	return err
}

// SignCheckpoint signs an audit head; see [api.Boundary].
func (c *Client) SignCheckpoint(ctx context.Context, node string, boot, count uint64, head [32]byte) (api.Checkpoint, error) {
	return call(ctx, c.payments, wire.SignCheckpoint, wire.CheckpointRequest{Node: node, Boot: boot, Count: count, Head: head})
}

// Reseal seals a PAN under the newest key; see [api.Boundary].
func (c *Client) Reseal(ctx context.Context, token string, sealed []byte) ([]byte, error) {
	return call(ctx, c.payments, wire.Reseal, wire.ResealRequest{Token: token, Sealed: sealed})
}

// Info describes the boundary; see [api.Administration].
func (c *Client) Info(ctx context.Context) (api.Info, error) {
	return call(ctx, c.admin, wire.Info, wire.Empty{})
}

// GenerateKey makes a key; see [api.Administration].
func (c *Client) GenerateKey(ctx context.Context, s api.KeySpec) (api.Key, error) {
	return call(ctx, c.admin, wire.GenerateKey, s)
}

// ImportClear brings a clear test key in; see [api.Administration].
func (c *Client) ImportClear(ctx context.Context, r api.ImportClear) (api.Key, error) {
	return call(ctx, c.admin, wire.ImportClear, r)
}

// NewTransport makes a transport key; see [api.Administration].
func (c *Client) NewTransport(ctx context.Context) (api.Transport, error) {
	return call(ctx, c.admin, wire.NewTransport, wire.Empty{})
}

// InitialKey exports a terminal's initial key; see [api.Administration].
func (c *Client) InitialKey(ctx context.Context, r api.InitialKeyRequest) (api.Exported, error) {
	return call(ctx, c.admin, wire.InitialKey, r)
}

// ImportBlock brings a key in under a transport key; see [api.Administration].
func (c *Client) ImportBlock(ctx context.Context, transport api.KeyBlock, block string) (api.Key, error) {
	return call(ctx, c.admin, wire.ImportBlock, wire.ImportBlockRequest{Transport: transport, Block: block})
}

// RotateSealing makes a new sealing key; see [api.Administration].
func (c *Client) RotateSealing(ctx context.Context) (uint32, error) {
	return call(ctx, c.admin, wire.RotateSealing, wire.Empty{})
}

// ClearPINBrake sets a card's count of wrong PINs to zero; see
// [api.Administration].
func (c *Client) ClearPINBrake(ctx context.Context, lookup [32]byte) error {
	_, err := call(ctx, c.admin, wire.ClearPINBrake, lookup)
	return err
}

// Personalize makes an issuer's reference record; see [api.Administration].
func (c *Client) Personalize(ctx context.Context, p api.Personalize) (api.Personalized, error) {
	return call(ctx, c.admin, wire.Personalize, p)
}

// Unlock brings one component of the LMK to a boundary that waits for its
// custodians. It answers the check value of the component and how many are
// missing. Components that do not make the boundary's LMK give api.ErrKey and
// are all forgotten.
func (c *Client) Unlock(ctx context.Context, component secret.Secret) (check string, missing int, err error) {
	u, err := call(ctx, c.admin, wire.Unlock, wire.UnlockRequest{Component: component})
	return u.Check, u.Missing, err
}
