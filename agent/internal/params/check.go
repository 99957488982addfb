package params

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"tallystick.example/emv"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/xtls"
)

// Check reports every limit that the configuration breaks.
func (c *Config) Check() error {
	return errors.Join(
		conf.CheckMode(c.Mode), conf.Required("data_dir", c.DataDir),
		c.Terminal.check(), c.Host.check(), c.Reader.check(), c.Keypad.check(c.Mode), c.Reversals.check(),
		conf.InRange("journal.keep", c.Journal.Keep, 1000, 500_000),
		c.checkApplications(), c.checkCAKeys(), c.checkRevoked(), c.checkLab(),
	)
}

func (t Terminal) check() error {
	errs := []error{
		xtls.Identity{Terminal: t.ID, Merchant: t.Merchant}.Check(),
		conf.Required("terminal.name", t.Name),
		conf.InRange("terminal.country", t.Country, 1, 999),
		conf.InRange("terminal.mcc", t.MCC, 0, 9999),
		conf.InRange("terminal.cda_mode", t.CDAMode, 1, 4),
		conf.InRange("terminal.max_amount", t.MaxAmount, 1, 999_999_999_999),
		conf.InRange("terminal.card_within", t.CardWithin, 5*time.Second, 10*time.Minute),
		hexOf("terminal.type", t.Type, 1, 1), hexOf("terminal.capabilities", t.Capabilities, 3, 3),
		hexOf("terminal.more_capabilities", t.MoreCapabilities, 5, 5),
		conf.InRange("the length of terminal.serial", len(t.Serial), 8, 8),
		conf.InRange("the number of lines of terminal.address", len(t.Address), 0, 4),
	}
	if _, ok := emv.LookupCurrency(t.Currency); !ok {
		errs = append(errs, fmt.Errorf("terminal.currency is %q, want a code of ISO 4217 such as EUR", t.Currency))
	}
	return errors.Join(errs...)
}

func (h Host) check() error {
	errs := []error{
		conf.Required("host.server_name", h.ServerName), conf.Required("host.ca", h.CA),
		conf.InRange("host.answer_within", h.AnswerWithin, time.Second, time.Minute),
		conf.InRange("host.write_within", h.WriteWithin, time.Second, 30*time.Second),
		conf.InRange("host.echo_every", h.EchoEvery, 5*time.Second, time.Hour),
		conf.InRange("host.retry_first", h.RetryFirst, 50*time.Millisecond, time.Minute),
		conf.InRange("host.retry_max", h.RetryMax, h.RetryFirst, 10*time.Minute),
	}
	if _, _, err := net.SplitHostPort(h.Address); err != nil {
		errs = append(errs, fmt.Errorf("host.address must be like host.example:8583: %w", err))
	}
	return errors.Join(errs...)
}

func (r Reader) check() error {
	return errors.Join(conf.Required("reader.path", r.Path), conf.Required("reader.lock_dir", r.LockDir),
		conf.InRange("reader.baud", r.Baud, 300, 3_000_000))
}

func (k Keypad) check(mode conf.Mode) error {
	if k.Path == "" {
		return nil
	}
	errs := []error{conf.InRange("keypad.baud", k.Baud, 300, 3_000_000),
		conf.InRange("keypad.pin_within", k.PINWithin, 5*time.Second, 5*time.Minute)}
	if mode != conf.Lab {
		errs = append(errs, errors.New("keypad.path is set: software PIN entry exists in lab mode only; use a PIN pad"))
	}
	return errors.Join(errs...)
}

func (r Reversals) check() error {
	return errors.Join(
		conf.InRange("reversals.first", r.First, 100*time.Millisecond, time.Minute),
		conf.InRange("reversals.max", r.Max, r.First, time.Hour),
		conf.InRange("reversals.stuck_after", r.StuckAfter, 1, 100),
		conf.InRange("reversals.wait_before_sale", r.WaitBeforeSale, 0, 2*time.Minute),
	)
}

// Bounds of the lists.
const (
	maxApplications = 64
	maxCAKeys       = 64
	maxRevoked      = 1920 // 30 for each of 64 RIDs
)

func (c *Config) checkApplications() error {
	errs := []error{conf.InRange("the number of applications", len(c.Applications), 1, maxApplications)}
	for i, a := range c.Applications {
		key := fmt.Sprintf("applications[%d].", i)
		errs = append(errs, hexOf(key+"aid", a.AID, 5, 16), hexOf(key+"version", a.Version, 2, 2),
			hexOr(key+"tac_denial", a.TACDenial, 5, 5), hexOr(key+"tac_online", a.TACOnline, 5, 5),
			hexOr(key+"tac_default", a.TACDefault, 5, 5), hexOr(key+"ddol", a.DDOL, 2, 64), hexOr(key+"tdol", a.TDOL, 2, 64),
			conf.InRange(key+"floor_limit", a.FloorLimit, 0, 999_999_999_999),
			conf.InRange(key+"random_threshold", a.RandomThreshold, 0, a.FloorLimit),
			conf.InRange(key+"random_max", a.RandomMax, 0, 99), conf.InRange(key+"random_target", a.RandomTarget, 0, a.RandomMax))
		for _, f := range a.Without {
			if !slices.Contains(features, f) {
				errs = append(errs, fmt.Errorf("%swithout has %q, want some of %s", key, f, strings.Join(features, ", ")))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkCAKeys() error {
	errs := []error{conf.InRange("the number of ca_keys", len(c.CAKeys), 0, maxCAKeys)}
	for i, k := range c.CAKeys {
		key := fmt.Sprintf("ca_keys[%d].", i)
		errs = append(errs, hexOf(key+"rid", k.RID, 5, 5), hexOf(key+"index", k.Index, 1, 1),
			hexOf(key+"modulus", k.Modulus, 64, 248), hexOf(key+"exponent", k.Exponent, 1, 3), hexOf(key+"checksum", k.Checksum, 20, 20))
		if _, err := time.Parse(time.DateOnly, k.Expires); err != nil {
			errs = append(errs, fmt.Errorf("%sexpires must be a date such as 2031-12-31", key))
		}
		if err := k.checkSum(); err != nil {
			errs = append(errs, fmt.Errorf("%schecksum: %w", key, err))
		}
		if k.Test && c.Mode != conf.Lab {
			errs = append(errs, fmt.Errorf("%stest is true: test keys are accepted in lab mode only", key))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkRevoked() error {
	errs := []error{conf.InRange("the number of revoked certificates", len(c.Revoked), 0, maxRevoked)}
	for i, r := range c.Revoked {
		key := fmt.Sprintf("revoked[%d].", i)
		errs = append(errs, hexOf(key+"rid", r.RID, 5, 5), hexOf(key+"index", r.Index, 1, 1), hexOf(key+"serial", r.Serial, 3, 3))
	}
	return errors.Join(errs...)
}

func (c *Config) checkLab() error {
	if c.Lab.RawWire && c.Mode != conf.Lab {
		return errors.New("lab.raw_wire is set: messages are recorded unmasked in lab mode only")
	}
	if c.Lab.TraceDir != "" && c.Mode != conf.Lab {
		return errors.New("lab.trace_dir is set: traces exist in lab mode only")
	}
	return nil
}

// hexOf reports a value that is not hexadecimal of min to max bytes.
func hexOf(key, value string, min, max int) error {
	b, err := hex.DecodeString(value)
	if err != nil || len(b) < min || len(b) > max {
		return fmt.Errorf("%s must be %d to %d bytes in hexadecimal", key, min, max)
	}
	return nil
}

// hexOr is hexOf for a value that may be absent.
func hexOr(key, value string, min, max int) error {
	if value == "" {
		return nil
	}
	return hexOf(key, value, min, max)
}
