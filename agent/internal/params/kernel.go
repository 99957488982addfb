package params

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
	"tallystick.example/emv/oda"
)

// Kernel is the EMV kernel's part of the configuration, which must have passed
// Check. The error is that of the kernel's own check.
func (c *Config) Kernel() (*kernel.Config, error) {
	t := c.Terminal
	k := &kernel.Config{
		Type: emv.TerminalType(unhex(t.Type)[0]), Capabilities: [3]byte(unhex(t.Capabilities)),
		MoreCapabilities: [5]byte(unhex(t.MoreCapabilities)), Country: t.Country,
		CDAMode:    t.CDAMode,
		TerminalID: t.ID, MerchantID: t.Merchant, IFDSerial: t.Serial, MCC: t.MCC, Acquirer: t.Acquirer, MerchantName: t.Name,
	}
	for _, a := range c.Applications {
		k.Applications = append(k.Applications, kernel.Application{
			AID: unhex(a.AID), Partial: a.Partial, Version: [2]byte(unhex(a.Version)),
			TAC:        kernel.ActionCodes{Denial: unhex(a.TACDenial), Online: unhex(a.TACOnline), Default: unhex(a.TACDefault)},
			FloorLimit: a.FloorLimit, DefaultDDOL: unhex(a.DDOL), DefaultTDOL: unhex(a.TDOL),
			RandomThreshold: a.RandomThreshold, RandomTarget: a.RandomTarget, RandomMax: a.RandomMax,
			WithoutSDA: a.without("sda"), WithoutPlaintextPIN: a.without("plaintext_pin"),
			WithoutEncipheredPIN: a.without("enciphered_pin"), WithoutTDOL: a.without("tdol"),
		})
	}
	if len(c.CAKeys) > 0 {
		var err error
		if k.CAKeys, err = c.authorityKeys(); err != nil {
			return nil, err
		}
	}
	return k, k.Check()
}

// features that an application can do without: they are on their way out of the
// standard.
var features = []string{"sda", "plaintext_pin", "enciphered_pin", "tdol"}

func (a Application) without(feature string) bool { return slices.Contains(a.Without, feature) }

// authorityKeys are the CA keys and revocations as the kernel takes them.
func (c *Config) authorityKeys() (*oda.Keys, error) {
	var keys []oda.CAKey
	for _, k := range c.CAKeys {
		key, err := k.key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	var revoked []oda.Revocation
	for _, r := range c.Revoked {
		revoked = append(revoked, oda.Revocation{RID: [5]byte(unhex(r.RID)), Index: unhex(r.Index)[0], Serial: [3]byte(unhex(r.Serial))})
	}
	return oda.NewKeys(keys, revoked)
}

// key is k, whose texts must be hexadecimal of the right length.
func (k CAKey) key() (oda.CAKey, error) {
	day, err := time.Parse(time.DateOnly, k.Expires)
	if err != nil {
		return oda.CAKey{}, fmt.Errorf("expires must be a date such as 2031-12-31")
	}
	return oda.CAKey{
		RID: [5]byte(unhex(k.RID)), Index: unhex(k.Index)[0], Modulus: unhex(k.Modulus), Exponent: unhex(k.Exponent),
		Checksum: [20]byte(unhex(k.Checksum)), Expires: emv.Day{Year: day.Year(), Month: int(day.Month()), Day: day.Day()},
	}, nil
}

// checkSum reports a key that does not hold together; one whose texts are wrong
// has been reported already.
func (k CAKey) checkSum() error {
	for _, err := range []error{hexOf("", k.RID, 5, 5), hexOf("", k.Index, 1, 1), hexOf("", k.Modulus, 64, 248),
		hexOf("", k.Exponent, 1, 3), hexOf("", k.Checksum, 20, 20)} {
		if err != nil {
			return nil
		}
	}
	key, err := k.key()
	if err != nil {
		return nil
	}
	return key.Check()
}

// unhex decodes what Check has accepted; an absent value is nil.
func unhex(s string) []byte {
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("params: a value was not checked")
	}
	return b
}

// Currency is the terminal's currency, which must have passed Check.
func (c *Config) Currency() emv.Currency {
	cur, ok := emv.LookupCurrency(c.Terminal.Currency)
	if !ok {
		panic("params: the currency was not checked")
	}
	return cur
}
