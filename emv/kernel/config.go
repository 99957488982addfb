package kernel

import (
	"errors"
	"fmt"
	"slices"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
)

// A Config is what a terminal is and accepts. It is read, never changed; one
// Config may serve many sessions at once.
type Config struct {
	Type             emv.TerminalType // 9F35, 0x22 for a merchant's attended terminal with online connection
	Capabilities     [3]byte          // 9F33; what no callback can do is cleared for the card
	MoreCapabilities [5]byte          // 9F40
	Country          int              // 9F1A, ISO 3166-1 numeric
	TerminalID       string           // 9F1C, 8 letters and digits (DE 41)
	MerchantID       string           // 9F16, 15 characters (DE 42)
	IFDSerial        string           // 9F1E, 8 letters and digits
	MCC              int              // 9F15, four digits
	Acquirer         string           // 9F01, up to 11 digits; may be empty
	MerchantName     string           // 9F4E; may be empty
	CategoryCode     byte             // 9F53, a letter; 0 for none
	// CAKeys are the public keys of the schemes' certification authorities; nil
	// means that the terminal performs no offline data authentication and
	// enciphers no offline PIN, and the card is told so.
	CAKeys        *oda.Keys
	CDAMode       int           // 1 to 4 (B2 Annex D4); 0 is 1: signed ARQC, and signed TC after an approval
	WithoutPSE    bool          // do not ask the card for its directory
	BypassAllPINs bool          // a PIN bypassed once counts for the methods that follow (B4 6.3.4.3)
	Applications  []Application // accepted, in the order in which they are tried
}

// An Application is what the terminal knows of one AID.
type Application struct {
	AID     []byte // 5 to 16 bytes
	Partial bool   // accepts longer names of the card that begin with AID (B1 12.3.1)
	Version [2]byte
	TAC     ActionCodes

	FloorLimit      int64 // minor units; a transaction of that much or more goes online
	RandomThreshold int64 // minor units; below it each transaction is selected with RandomTarget
	RandomTarget    int   // percent, 0 to 99
	RandomMax       int   // percent, at the floor limit; RandomTarget to 99

	DefaultDDOL []byte // for a card without 9F49; used by offline data authentication
	DefaultTDOL []byte // for a card without 97 that asks for a TC hash

	// Features on their way out of the standard can be left away.
	WithoutSDA           bool
	WithoutPlaintextPIN  bool
	WithoutEncipheredPIN bool
	WithoutTDOL          bool
}

// ActionCodes are the Terminal or Issuer Action Codes (B3 10.7). An entry that
// is nil takes the default of the standard: for the terminal zeros, for the
// issuer zeros for denial and ones for online and default.
type ActionCodes struct {
	Denial, Online, Default []byte // nil or 5 bytes
}

// Check says what is wrong with the configuration, all of it at once.
func (c *Config) Check() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("kernel configuration: "+format, args...))
		}
	}
	wrong(!c.Type.Valid(), "terminal type %02X does not exist; a merchant's attended terminal is 22", byte(c.Type))
	wrong(c.Country < 1 || c.Country > 999, "country %d is no ISO 3166-1 number", c.Country)
	wrong(len(c.TerminalID) != 8, "terminal id must have 8 characters")
	wrong(len(c.IFDSerial) != 8, "IFD serial number must have 8 characters")
	wrong(len(c.MerchantID) > 15, "merchant id has more than 15 characters")
	wrong(c.MCC < 0 || c.MCC > 9999, "merchant category code %d has more than four digits", c.MCC)
	_, err := emv.FormatDigits(emv.FormatN, c.Acquirer, 6)
	wrong(err != nil || len(c.Acquirer) > 11, "acquirer must be up to 11 digits")
	wrong(c.CDAMode < 0 || c.CDAMode > 4, "CDA mode %d does not exist; they are 1 to 4", c.CDAMode)
	wrong(len(c.Applications) == 0, "no application is accepted; list at least one AID")
	wrong(len(c.Applications) > maxApplications, "more than %d applications", maxApplications)
	for _, a := range c.Applications {
		if err := a.check(); err != nil {
			errs = append(errs, fmt.Errorf("kernel configuration: AID %X: %w", a.AID, err))
		}
	}
	return errors.Join(errs...)
}

// maxApplications bounds the SELECT commands that a card has to answer.
const maxApplications = 128

func (a Application) check() error {
	if len(a.AID) < 5 || len(a.AID) > 16 {
		return errors.New("must have 5 to 16 bytes")
	}
	for _, code := range [][]byte{a.TAC.Denial, a.TAC.Online, a.TAC.Default} {
		if code != nil && len(code) != 5 {
			return errors.New("a terminal action code must have 5 bytes")
		}
	}
	if a.FloorLimit < 0 || a.RandomThreshold < 0 || a.RandomThreshold > a.FloorLimit {
		return errors.New("the random selection threshold must lie between 0 and the floor limit")
	}
	if a.RandomTarget < 0 || a.RandomMax > 99 || a.RandomTarget > a.RandomMax {
		return errors.New("random selection percentages must be 0 to 99, the maximum not below the target")
	}
	for _, list := range [][]byte{a.DefaultDDOL, a.DefaultTDOL} {
		if _, err := emv.ParseDOL(list); err != nil {
			return err
		}
	}
	return nil
}

// match finds the application of the configuration that name belongs to: the
// one with the longest AID.
func match(apps []Application, name []byte) (Application, bool) {
	best, found := Application{}, false
	for _, a := range apps {
		if a.matches(name) && len(a.AID) > len(best.AID) {
			best, found = a, true
		}
	}
	return best, found
}

func (a Application) matches(name []byte) bool {
	if len(name) < len(a.AID) || !slices.Equal(name[:len(a.AID)], a.AID) {
		return false
	}
	return len(name) == len(a.AID) || a.Partial
}
