package params

import (
	"encoding/hex"

	"tallystick.example/emv"
	"tallystick.example/emv/kernel"
)

// Kernel is the EMV kernel's part of the configuration, which must have passed
// Check. The error is that of the kernel's own check.
func (c *Config) Kernel() (*kernel.Config, error) {
	t := c.Terminal
	k := &kernel.Config{
		Type: emv.TerminalType(unhex(t.Type)[0]), Capabilities: [3]byte(unhex(t.Capabilities)),
		MoreCapabilities: [5]byte(unhex(t.MoreCapabilities)), Country: t.Country,
		TerminalID: t.ID, MerchantID: t.Merchant, IFDSerial: t.Serial, MCC: t.MCC, Acquirer: t.Acquirer, MerchantName: t.Name,
	}
	for _, a := range c.Applications {
		k.Applications = append(k.Applications, kernel.Application{
			AID: unhex(a.AID), Partial: a.Partial, Version: [2]byte(unhex(a.Version)),
			TAC:        kernel.ActionCodes{Denial: unhex(a.TACDenial), Online: unhex(a.TACOnline), Default: unhex(a.TACDefault)},
			FloorLimit: a.FloorLimit, DefaultDDOL: unhex(a.DDOL), DefaultTDOL: unhex(a.TDOL),
		})
	}
	return k, k.Check()
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
