package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tallystick.example/dukpt"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/internal/xtls"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/lab"
	"tallystick.example/simulator/terminal"

	"tallystick.example/emv/cryptogram"
)

// The rogue is a second terminal, registered like any other, that does not keep
// to the rules.
const rogueTerminal = "TERM0002"

// rogueWithin bounds what the rogue waits for an answer that may not come.
const rogueWithin = 5 * time.Second

// rogue registers the second terminal and returns it with the lab's card.
func (d *demo) rogue(ctx context.Context) (*terminal.Terminal, *terminal.Card, error) {
	key, keyPEM, err := xtls.NewKey()
	if err != nil {
		return nil, nil, err
	}
	csr, err := xtls.NewRequest(key, xtls.Identity{Terminal: rogueTerminal, Merchant: lab.Merchant})
	if err != nil {
		return nil, nil, err
	}
	request, cert, keys := d.lab.Path("rogue.csr"), d.lab.Path("rogue.crt"), d.lab.Path("rogue-keys")
	if err := os.WriteFile(request, csr, 0o600); err != nil {
		return nil, nil, err
	}
	if _, err := d.lab.Run(ctx, lab.Host, "terminal", "add", rogueTerminal, "--merchant", lab.Merchant, "--csr", request, "--out", cert); err != nil {
		return nil, nil, err
	}
	if _, err := d.lab.Run(ctx, lab.Host, "terminal", "keys", rogueTerminal, "--scheme", d.o.dukpt, "--out", keys); err != nil {
		return nil, nil, err
	}
	state, err := loadKeys(keys)
	if err != nil {
		return nil, nil, err
	}
	certPEM, err := os.ReadFile(cert)
	if err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(cert + ".ca")
	if err != nil {
		return nil, nil, err
	}
	conf, err := xtls.Client(certPEM, keyPEM, ca, "localhost")
	if err != nil {
		return nil, nil, err
	}
	t, err := terminal.New(terminal.Config{
		Identity: xtls.Identity{Terminal: rogueTerminal, Merchant: lab.Merchant},
		Address:  d.lab.HostAddress(), TLS: conf, Keys: state, Random: rand.Reader, Answer: rogueWithin,
	})
	if err != nil {
		return nil, nil, err
	}
	c, err := d.rogueCard()
	return t, c, err
}

func loadKeys(dir string) (*dukpt.State, error) {
	blocks, err := filepath.Glob(filepath.Join(dir, "*.tr31"))
	if err != nil || len(blocks) != 1 {
		return nil, fmt.Errorf("want one key block, found %d (%w)", len(blocks), err)
	}
	base := strings.TrimSuffix(blocks[0], ".tr31")
	return terminal.LoadKeys(blocks[0], [2]string{base + ".component1", base + ".component2"})
}

// rogueCard is the lab's card as software that makes cryptograms.
func (d *demo) rogueCard() (*terminal.Card, error) {
	a := d.lab.Profile().Apps[0]
	imk, err := hex.DecodeString(a.Keys.IMKAC)
	if err != nil {
		return nil, err
	}
	profile, err := cryptogram.ParseProfile(a.Keys.Profile)
	if err != nil {
		return nil, err
	}
	return terminal.NewCard(secret.New([]byte(a.PAN)), secret.New([]byte(d.lab.Profile().PIN)), a.Expiry, a.PSN, profile, secret.Take(imk))
}

// rogueSale sends one payment that spoil changes before it leaves, and reads
// what the host makes of it. Before it, a sign-on uses the same keys.
func (d *demo) rogueSale(ctx context.Context, spoil func(req *iso8583.Message, keys *dukpt.WorkingKeys) ([]byte, error), replay bool) (r result, err error) {
	t, c, err := d.rogue(ctx)
	if err != nil {
		return r, err
	}
	k, err := t.Dial(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	keys, err := t.NextKeys()
	if err != nil {
		return r, err
	}
	if replay {
		m, err := t.Network(iso8583.SignOn, iso8583.Private{}, keys)
		if err != nil {
			return r, err
		}
		if _, err := k.Ask(ctx, m, keys); err != nil {
			return r, fmt.Errorf("the sign-on under the counter: %w", err)
		}
	}
	minor, err := minorUnits(d.o.amount)
	if err != nil {
		return r, err
	}
	plan, err := t.Plan(terminal.Sale{Card: c, Minor: minor, Currency: 840, PIN: d.lab.Profile().PIN})
	if err != nil {
		return r, err
	}
	req, err := t.Request(plan, keys)
	if err != nil {
		return r, err
	}
	packed, err := spoil(req, keys)
	if err != nil {
		return r, err
	}
	start := time.Now()
	ans, err := k.Exchange(ctx, req, packed, keys)
	r.STAN, r.ElapsedMS = req.STAN(), time.Since(start).Milliseconds()
	if ans.Message != nil {
		r.RC, r.RRN = ans.Message.ResponseCode(), ans.Message.RRN()
		r.Approved = r.RC == "00"
		d.say("   the host answers %s with DE 39 = %s", ans.Message.MTI(), r.RC)
		return r, nil
	}
	select {
	case <-k.Gone():
		d.say("   the host does not answer and ends the connection")
	default:
		d.say("   the host does not answer (%v)", err)
	}
	return r, nil
}

// wrongMAC flips one bit of the MAC.
func (d *demo) wrongMAC(ctx context.Context) (result, error) {
	d.say("\n== a message whose MAC is wrong in one bit")
	return d.rogueSale(ctx, func(req *iso8583.Message, keys *dukpt.WorkingKeys) ([]byte, error) {
		packed, err := terminal.Seal(req, keys)
		if err == nil {
			packed[len(packed)-1] ^= 1
		}
		return packed, err
	}, false)
}

// replayedKSN protects a payment with keys that a sign-on has used.
func (d *demo) replayedKSN(ctx context.Context) (result, error) {
	d.say("\n== a second message under a KSN that was used")
	return d.rogueSale(ctx, terminal.Seal, true)
}

// otherTerminal speaks for TERM0001 with the certificate of TERM0002.
func (d *demo) otherTerminal(ctx context.Context) (result, error) {
	d.say("\n== %s speaks for %s", rogueTerminal, lab.Terminal)
	return d.rogueSale(ctx, func(req *iso8583.Message, keys *dukpt.WorkingKeys) ([]byte, error) {
		req.SetText(41, lab.Terminal)
		return terminal.Seal(req, keys)
	}, false)
}
