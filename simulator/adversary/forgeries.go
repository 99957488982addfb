package adversary

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"

	"tallystick.example/dukpt"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
	"tallystick.example/simulator/terminal"
)

func (f *forgery) seal() ([]byte, error) { return terminal.Seal(f.m, f.keys) }

// spoilt makes a good sale, lets change spoil its message, seals and sends it.
func spoilt(change func(a *attack, f *forgery) error) func(context.Context, *attack) (string, error) {
	return func(ctx context.Context, a *attack) (string, error) {
		f, err := a.forge()
		if err != nil {
			return "", err
		}
		if err := change(a, f); err != nil {
			return "", err
		}
		return a.sealed(ctx, f)
	}
}

// unauthentic are messages that are not what they say, or not the terminal's.
func unauthentic() []Input {
	const macs, counters = "7. MAC", "7. Counters"
	return []Input{
		{"a wrong MAC", macs, "63", func(ctx context.Context, a *attack) (string, error) {
			f, packed, err := a.packed()
			if err != nil {
				return "", err
			}
			packed[len(packed)-1] ^= 1
			return a.exchange(ctx, f.m, packed, f.keys)
		}},
		{"another amount under the MAC", macs, "63", func(ctx context.Context, a *attack) (string, error) {
			f, packed, err := a.packed()
			if err != nil {
				return "", err
			}
			packed[18] ^= 1
			f.m.SetAmount(iso8583.Amount{Minor: 3, Currency: f.plan.Payment.Amount.Currency}) // what the host has read
			return a.exchange(ctx, f.m, packed, f.keys)
		}},
		{"the MAC of another counter", macs, "63", func(ctx context.Context, a *attack) (string, error) {
			f, err := a.forge()
			if err != nil {
				return "", err
			}
			other, err := a.k.NextKeys()
			if err != nil {
				return "", err
			}
			packed, err := terminal.Seal(f.m, other)
			if err != nil {
				return "", err
			}
			return a.exchange(ctx, f.m, packed, f.keys)
		}},
		{"no MAC", macs, "63" + bare, noMAC},
		{"keys that are not the terminal's", "7. Keys", "63" + bare, foreignKeys},
		{"another message under a used counter", counters, "63", usedCounter},
		{"a counter below the window", counters, "63", oldCounter},
		{"the DE 41 of another terminal", "10. What gets no answer", noAnswer, func(_ context.Context, a *attack) (string, error) {
			f, err := a.forge()
			if err != nil {
				return "", err
			}
			f.m.SetText(41, a.Good.ID())
			packed, err := f.seal()
			if err != nil {
				return "", err
			}
			return a.silent(packed)
		}},
		{"a message of another terminal", "10. What gets no answer", noAnswer, stolen},
		{"the DE 42 of another merchant", "5. DE 42", "03", spoilt(func(_ *attack, f *forgery) error { f.m.SetText(42, "MERCHANT9999999"); return nil })},
	}
}

func noMAC(ctx context.Context, a *attack) (string, error) {
	f, err := a.forge()
	if err != nil {
		return "", err
	}
	packed, err := iso8583.Pack(f.m)
	if err != nil {
		return "", err
	}
	return a.exchange(ctx, f.m, packed, f.keys)
}

// foreignKeys asks under a key set of its own making.
func foreignKeys(ctx context.Context, a *attack) (string, error) {
	ik := make([]byte, 16)
	if _, err := rand.Read(ik); err != nil {
		return "", err
	}
	ksn, err := dukpt.ParseKSN(dukpt.AES, append(bytes.Repeat([]byte{0xEE}, 8), 0, 0, 0, 0))
	if err != nil {
		return "", err
	}
	state, err := dukpt.NewState(ik, ksn)
	if err != nil {
		return "", err
	}
	_, ks, err := state.Advance()
	if err != nil {
		return "", err
	}
	plan, err := a.k.Plan(a.sale(2))
	if err != nil {
		return "", err
	}
	m, err := a.k.Request(plan, ks)
	if err != nil {
		return "", err
	}
	return a.sealed(ctx, &forgery{plan, m, ks})
}

// usedCounter asks for a second sale under the counter of the first.
func usedCounter(ctx context.Context, a *attack) (string, error) {
	f, err := a.forge()
	if err != nil {
		return "", err
	}
	if got, err := a.sealed(ctx, f); err != nil || got != "00" {
		return got, errors.Join(err, errors.New("the first sale was not approved"))
	}
	plan, err := a.k.Plan(a.sale(2))
	if err != nil {
		return "", err
	}
	m, err := a.k.Request(plan, f.keys)
	if err != nil {
		return "", err
	}
	return a.sealed(ctx, &forgery{plan, m, f.keys})
}

// window is how far below the highest counter a message may be.
const window = 1024

func oldCounter(ctx context.Context, a *attack) (string, error) {
	old, err := a.k.NextKeys()
	if err != nil {
		return "", err
	}
	for range window {
		if _, err := a.k.NextKeys(); err != nil {
			return "", err
		}
	}
	f, err := a.forge()
	if err != nil {
		return "", err
	}
	if got, err := a.sealed(ctx, f); err != nil || got != "00" {
		return got, errors.Join(err, errors.New("a sale with a high counter was not approved"))
	}
	plan, err := a.k.Plan(a.sale(2))
	if err != nil {
		return "", err
	}
	m, err := a.k.Request(plan, old)
	if err != nil {
		return "", err
	}
	return a.sealed(ctx, &forgery{plan, m, old})
}

// stolen sends a message that another terminal has sealed.
func stolen(_ context.Context, a *attack) (string, error) {
	ks, err := a.Good.NextKeys()
	if err != nil {
		return "", err
	}
	m, err := a.Good.Network(iso8583.SignOn, iso8583.Private{}, ks)
	if err != nil {
		return "", err
	}
	packed, err := terminal.Seal(m, ks)
	if err != nil {
		return "", err
	}
	return a.silent(packed)
}

// forbidden are authentic messages with what no message may hold, or without what
// it must.
func forbidden() []Input {
	const elements, chip, tags = "5. Elements that are refused", "5. DE 55", "6. Private data"
	digits := func(de int, what func(a *attack) string) func(context.Context, *attack) (string, error) {
		return spoilt(func(a *attack, f *forgery) error { f.m.SetDigits(de, what(a)); return f.m.Err() })
	}
	chipData := func(more func(a *attack) []byte) func(context.Context, *attack) (string, error) {
		return spoilt(func(a *attack, f *forgery) error {
			f.m.SetBytes(55, append(bytes.Clone(f.m.Bytes(55)), more(a)...))
			return f.m.Err()
		})
	}
	object := func(tag ...byte) func(context.Context, *attack) (string, error) {
		return chipData(func(*attack) []byte { return tag })
	}
	return []Input{
		{"a PAN in DE 2", elements, "30", digits(2, (*attack).pan)},
		{"an expiry in DE 14", elements, "30", digits(14, func(a *attack) string { return a.BadCard.Expiry })},
		{"track 2 in DE 35", elements, "30", spoilt(func(a *attack, f *forgery) error {
			f.m.SetText(35, a.pan()+"="+a.BadCard.Expiry+"201")
			return f.m.Err()
		})},
		{"a PAN in DE 55", chip, "30", chipData(func(a *attack) []byte { return ber.Append(nil, 0x5A, packed(a.pan())) })},
		{"track 2 in DE 55", chip, "30", chipData(func(a *attack) []byte { return ber.Append(nil, 0x57, packed(a.pan()+"D"+a.BadCard.Expiry+"201")) })},
		{"a length in DE 55 that lies", chip, "30", object(0x9F, 0x34, 9, 1)},
		{"a tag twice in DE 55", chip, "30", object(0x9F, 0x36, 2, 0, 1)},
		{"no card data", tags, "30", spoilt(func(_ *attack, f *forgery) error {
			return f.private(func(p *iso8583.Private) { p.CardData, p.DataKSN = iso8583.CardData{}, nil })
		})},
		{"card data that decipher to nothing", tags, "30", spoilt(func(_ *attack, f *forgery) error {
			return f.private(func(p *iso8583.Private) { p.CardData.Ciphertext[0] ^= 1 })
		})},
		{"a PIN block in two elements", tags, "30", spoilt(func(_ *attack, f *forgery) error {
			f.m.SetBytes(52, make([]byte, 8))
			return f.m.Err()
		})},
		{"a PIN block without its KSN", tags, "30", spoilt(func(_ *attack, f *forgery) error {
			return f.private(func(p *iso8583.Private) { p.PINKSN = nil })
		})},
		{"a tag twice in DE 63", tags, "30" + bare, spoilt(func(_ *attack, f *forgery) error {
			f.m.SetBytes(63, append(bytes.Clone(f.m.Bytes(63)), 0x12, 0, 4, 0, 0, 0, 0, 0x12, 0, 4, 0, 0, 0, 0))
			return f.m.Err()
		})},
		{"no such transaction", "4. Transaction types", "12", digits(3, func(*attack) string { return "990000" })},
		{"an amount of zero", "5. DE 4", "13", digits(4, func(*attack) string { return "000000000000" })},
	}
}

// pan is the bad terminal's card number.
func (a *attack) pan() string { return string(a.BadCard.PAN.Expose()) }

// packed packs digits and separators of a track, two to a byte, filled with F.
func packed(text string) []byte {
	if len(text)%2 == 1 {
		text += "F"
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		panic("adversary: a card's data are digits") // cards are checked when they are made
	}
	return b
}

// untrue are messages in good form whose card does not bear them out.
func untrue() []Input {
	const codes = "9. Answers"
	return []Input{
		{"a wrong cryptogram", codes, "82", func(ctx context.Context, a *attack) (string, error) {
			s := a.sale(2)
			s.Spoil = true
			plan, err := a.k.Plan(s)
			if err != nil {
				return "", err
			}
			f, err := a.transmit(plan)
			if err != nil {
				return "", err
			}
			return a.sealed(ctx, f)
		}},
		{"a PIN block that deciphers to nothing", codes, "55", spoilt(func(_ *attack, f *forgery) error {
			return f.private(func(p *iso8583.Private) {
				b := bytes.Clone(p.PINBlock.Expose())
				b[0] ^= 1
				p.PINBlock = secret.Take(b)
			})
		})},
	}
}
