package card

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tallystick.example/emv"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/conf"
	"tallystick.example/internal/xlog"
)

// Defaults of profiles.
const (
	defaultCDOL1 = "9F02069F03069F1A0295055F2A029A039C019F37049F3501"
	defaultCDOL2 = "8A029F02069F03069F1A0295055F2A029A039C019F37049F3501"
	maxApps      = 8
	noAction     = "0000000000"
	allActions   = "FFFFFFFFFF"
)

func (p *Profile) setDefaults() {
	p.PINTryLimit = cmp.Or(p.PINTryLimit, 3)
	for i := range p.Apps {
		a := &p.Apps[i]
		a.Language = cmp.Or(a.Language, "en")
		a.Effective = cmp.Or(a.Effective, "200101")
		a.Cardholder = cmp.Or(a.Cardholder, "TEST/CARD")
		a.ServiceCode = cmp.Or(a.ServiceCode, "201")
		a.Discretionary = cmp.Or(a.Discretionary, "0000000000000")
		a.Country, a.Currency = cmp.Or(a.Country, "0840"), cmp.Or(a.Currency, "0840")
		a.AIP, a.Usage, a.Version = cmp.Or(a.AIP, "1C00"), cmp.Or(a.Usage, "FFC0"), cmp.Or(a.Version, "008C")
		a.CDOL1, a.CDOL2 = cmp.Or(a.CDOL1, defaultCDOL1), cmp.Or(a.CDOL2, defaultCDOL2)
		a.Template = cmp.Or(a.Template, 1)
		a.IAC.Denial = cmp.Or(a.IAC.Denial, noAction)
		a.IAC.Online, a.IAC.Default = cmp.Or(a.IAC.Online, allActions), cmp.Or(a.IAC.Default, allActions)
		a.Keys.Option, a.Keys.DKI = cmp.Or(a.Keys.Option, "A"), cmp.Or(a.Keys.DKI, "01")
		a.ODA.setDefaults(a.Expiry)
		if len(a.Keys.ARPCMethods) == 0 {
			a.Keys.ARPCMethods = []int{1, 2}
		}
	}
}

// Check returns every mistake of a profile, joined. The texts hold no PAN, PIN
// or key.
func (p *Profile) Check() error {
	errs := []error{
		conf.Required("name", p.Name),
		conf.InRange("pin_try_limit", p.PINTryLimit, 1, 15),
		conf.InRange("number of applications", len(p.Apps), 1, maxApps),
		p.Faults.check(),
	}
	if p.PIN != "" {
		errs = append(errs, number("pin", p.PIN, 4, 12))
	}
	for i := range p.Apps {
		if err := p.Apps[i].check(); err != nil {
			errs = append(errs, fmt.Errorf("application %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func (a *Application) check() error {
	errs := []error{
		hexBytes("aid", a.AID, 5, 16), conf.InRange("length of label", len(a.Label), 1, 16), conf.InRange("length of preferred_name", len(a.PreferredName), 0, 16),
		conf.InRange("priority", a.Priority, 0, 15), conf.InRange("length of language", len(a.Language), 2, 8),
		number("pan", a.PAN, 13, 19), number("expiry", a.Expiry, 4, 4), number("effective", a.Effective, 6, 6),
		conf.InRange("length of cardholder", len(a.Cardholder), 2, 26), number("service_code", a.ServiceCode, 3, 3),
		number("discretionary", a.Discretionary, 0, 13), number("country", a.Country, 4, 4), number("currency", a.Currency, 4, 4),
		conf.InRange("exponent", a.Exponent, 0, 9),
		hexBytes("aip", a.AIP, 2, 2), hexBytes("usage", a.Usage, 2, 2), hexBytes("version", a.Version, 2, 2), hexBytes("cvm_list", a.CVMList, 0, 252),
		hexBytes("iac.denial", a.IAC.Denial, 5, 5), hexBytes("iac.online", a.IAC.Online, 5, 5), hexBytes("iac.default", a.IAC.Default, 5, 5),
		dol("pdol", a.PDOL), dol("cdol1", a.CDOL1), dol("cdol2", a.CDOL2), conf.InRange("template", a.Template, 1, 2),
		hexBytes("issuer_id", a.IssuerID, 0, 4),
		a.Keys.check(), a.Risk.check(), a.ODA.check(a),
	}
	if a.PSN != "" {
		errs = append(errs, number("psn", a.PSN, 2, 2))
	}
	if !xlog.Luhn([]byte(a.PAN)) {
		errs = append(errs, errors.New("pan has a wrong check digit"))
	}
	for _, f := range a.Extra {
		errs = append(errs, conf.InRange("sfi", f.SFI, 1, 30), conf.InRange("record", f.Record, 1, 255), hexBytes("data", f.Data, 1, 250))
	}
	return errors.Join(errs...)
}

func (k *Keys) check() error {
	errs := []error{hexBytes("keys.imk_ac", k.IMKAC, 16, 16), hexBytes("keys.dki", k.DKI, 1, 1)}
	profile, err := cryptogram.ParseProfile(k.Profile)
	if err == nil {
		_, err = iadLayoutOf(profile)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("keys.profile: %w", err))
	}
	if k.Option != "A" && k.Option != "B" {
		errs = append(errs, errors.New(`keys.option is neither "A" nor "B"`))
	}
	for key, v := range map[string]string{"keys.imk_smi": k.IMKSMI, "keys.cvk": k.CVK} {
		if v != "" {
			errs = append(errs, hexBytes(key, v, 16, 16))
		}
	}
	for _, m := range k.ARPCMethods {
		errs = append(errs, conf.InRange("keys.arpc_methods", m, 1, 2))
	}
	return errors.Join(errs...)
}

func (r *Risk) check() error {
	return errors.Join(
		conf.InRange("risk.offline_limit", r.OfflineLimit, 0, 255), conf.InRange("risk.offline_amount", r.OfflineAmount, 0, 999_999_999_999),
		conf.InRange("risk.lower_limit", r.LowerLimit, 0, 255), conf.InRange("risk.upper_limit", r.UpperLimit, 0, 255),
	)
}

func (f *Faults) check() error {
	var errs []error
	names := append([]string(nil), f.Mute...)
	for name, status := range f.Status {
		names = append(names, name)
		errs = append(errs, hexBytes("faults.status."+name, status, 2, 2))
	}
	for _, name := range names {
		if !slices.Contains(commandNames, name) {
			errs = append(errs, fmt.Errorf("faults: %q is no command; they are %s", name, strings.Join(commandNames, ", ")))
		}
	}
	return errors.Join(errs...)
}

// number checks a text of digits without showing it.
func number(key, v string, least, most int) error {
	if _, err := strconv.ParseUint("0"+v, 10, 64); err != nil || len(v) < least || len(v) > most || strings.ContainsAny(v, "+-_") {
		return fmt.Errorf("%s is not %d to %d digits", key, least, most)
	}
	return nil
}

// hexBytes checks hexadecimal without showing it.
func hexBytes(key, v string, least, most int) error {
	b, err := hex.DecodeString(v)
	if err != nil || len(b) < least || len(b) > most {
		return fmt.Errorf("%s is not %d to %d bytes in hexadecimal", key, least, most)
	}
	return nil
}

func dol(key, v string) error {
	list, err := emv.ParseDOL(unhex(v))
	if err != nil || hexBytes(key, v, 0, 252) != nil || list.Len() > 255 {
		return fmt.Errorf("%s is no data object list of at most 255 bytes of data", key)
	}
	return nil
}

// unhex decodes what hexBytes has checked; what is not hexadecimal is cut.
func unhex(v string) []byte {
	b, _ := hex.DecodeString(v) // the checked prefix is what counts
	return b
}
