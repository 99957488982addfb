package card

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tallystick.example/emv"
	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/cardcodes"
	"tallystick.example/internal/pure/secret"
)

// tagIssuerID is the Issuer Identification Number (EMV Book 3, Annex A).
const tagIssuerID = 0x42

// recordKey finds a record.
type recordKey struct{ sfi, record byte }

// app is an application as it lies on the card.
type app struct {
	aid          []byte
	profile      *Application
	state        *AppState
	fci          []byte
	records      map[recordKey][]byte
	aip, afl     []byte
	pdol         emv.DOL
	cdol1, cdol2 emv.DOL
	version      cryptogram.Profile
	layout       iadLayout
	dki          byte
	cardKey      secret.Secret // for application cryptograms
	scriptKey    secret.Secret // for the integrity of scripts; empty when they need none
	rsa          keySet        // for offline data authentication; empty without
}

// personalize makes the application of a checked profile. wrong spoils its
// certificate.
func personalize(p *Application, state *AppState, wrong bool) (*app, error) {
	a := &app{aid: unhex(p.AID), profile: p, state: state, aip: unhex(p.AIP), dki: unhex(p.Keys.DKI)[0], records: map[recordKey][]byte{}}
	a.version = cryptogram.Profile(p.Keys.Profile)
	for _, m := range p.ODA.Methods {
		methodBits[m].Set(a.aip)
	}
	var err error
	if a.layout, err = iadLayoutOf(a.version); err != nil {
		return nil, err
	}
	for _, l := range []struct {
		to   *emv.DOL
		text string
	}{{&a.pdol, p.PDOL}, {&a.cdol1, p.CDOL1}, {&a.cdol2, p.CDOL2}} {
		if *l.to, err = emv.ParseDOL(unhex(l.text)); err != nil {
			return nil, err
		}
	}
	if err := a.deriveKeys(); err != nil {
		return nil, err
	}
	a.fci = a.controlInformation()
	return a, a.layRecords(wrong)
}

func (a *app) deriveKeys() error {
	c := cryptogram.Card{PAN: secret.New([]byte(a.profile.PAN)), PSN: a.profile.PSN, Option: cryptogram.Option(a.profile.Keys.Option[0])}
	defer c.PAN.Wipe()
	for _, k := range []struct {
		to  *secret.Secret
		imk string
	}{{&a.cardKey, a.profile.Keys.IMKAC}, {&a.scriptKey, a.profile.Keys.IMKSMI}} {
		if k.imk == "" {
			continue
		}
		imk := secret.Take(unhex(k.imk))
		key, err := cryptogram.CardKey(imk, c)
		imk.Wipe()
		if err != nil {
			return fmt.Errorf("deriving a card key: %w", err)
		}
		*k.to = key
	}
	return nil
}

// controlInformation is the answer to SELECT (EMV Book 1, table 45).
func (a *app) controlInformation() []byte {
	p := a.profile
	prop := ber.Append(nil, uint32(emv.TagLabel), []byte(p.Label))
	if p.Priority > 0 {
		prop = ber.Append(prop, uint32(emv.TagPriority), []byte{p.priorityByte()})
	}
	if p.PDOL != "" {
		prop = ber.Append(prop, uint32(emv.TagPDOL), unhex(p.PDOL))
	}
	prop = ber.Append(prop, uint32(emv.TagLanguage), []byte(p.Language))
	if p.PreferredName != "" {
		prop = ber.Append(prop, uint32(emv.TagCodeTable), []byte{1})
		prop = ber.Append(prop, uint32(emv.TagPreferredName), []byte(p.PreferredName))
	}
	if p.IssuerID != "" {
		number := ber.Append(nil, tagIssuerID, unhex(p.IssuerID))
		prop = ber.Append(prop, uint32(emv.TagFCIIssuer), number)
	}
	fci := ber.Append(nil, uint32(emv.TagDFName), a.aid)
	fci = ber.Append(fci, uint32(emv.TagFCIProprietary), prop)
	return ber.Append(nil, uint32(emv.TagFCI), fci)
}

// priorityByte is tag 87: bit 8 asks for the cardholder's confirmation.
func (p *Application) priorityByte() byte {
	b := byte(p.Priority)
	if p.Confirm {
		b |= 0x80
	}
	return b
}

type object struct {
	tag   emv.Tag
	value []byte
}

// layRecords puts the application's data into records: track 2 and name in
// SFI 1, the rest in SFI 2, certificates in SFI 3, and the profile's own records
// behind them.
func (a *app) layRecords(wrong bool) error {
	p := a.profile
	track2, err := p.track2()
	if err != nil {
		return err
	}
	currency := []object{{emv.TagAppCurrency, unhex(p.Currency)}, {0x9F44, []byte{byte(p.Exponent)}}}
	cardObjects := []object{
		{emv.TagPAN, packPAN(p.PAN)}, {emv.TagExpiry, p.expiryDate()}, {emv.TagEffective, unhex(p.Effective)},
		{emv.TagIssuerCountry, unhex(p.Country)}, {emv.TagUsageControl, unhex(p.Usage)}, {emv.TagServiceCode, unhex("0" + p.ServiceCode)},
	}
	if p.PSN != "" {
		cardObjects = append(cardObjects, object{emv.TagPANSequence, unhex(p.PSN)})
	}
	if p.Risk.LowerLimit > 0 || p.Risk.UpperLimit > 0 {
		currency = append(currency, object{emv.TagLowerOfflineLimit, []byte{byte(p.Risk.LowerLimit)}}, object{emv.TagUpperOfflineLimit, []byte{byte(p.Risk.UpperLimit)}})
	}
	rules := []object{
		{emv.TagIACDenial, unhex(p.IAC.Denial)}, {emv.TagIACOnline, unhex(p.IAC.Online)}, {emv.TagIACDefault, unhex(p.IAC.Default)},
		{emv.TagVersionCard, unhex(p.Version)},
	}
	if len(p.ODA.Methods) > 0 {
		rules = append(rules, object{emv.TagSDATags, []byte{byte(emv.TagAIP)}})
	}
	if p.CVMList != "" {
		rules = append(rules, object{emv.TagCVMList, unhex(p.CVMList)})
	}
	a.lay(1, 1, []object{{emv.TagTrack2, track2}, {emv.TagCardholderName, []byte(p.Cardholder)}})
	a.lay(2, 1, append(cardObjects, currency...))
	a.lay(2, 2, []object{{emv.TagCDOL1, unhex(p.CDOL1)}, {emv.TagCDOL2, unhex(p.CDOL2)}})
	a.lay(2, 3, rules)
	a.afl = []byte{1 << 3, 1, 1, 0, 2 << 3, 1, 3, 0}
	if err := a.layCertificates(wrong); err != nil {
		return err
	}
	for _, f := range p.Extra {
		key := recordKey{byte(f.SFI), byte(f.Record)}
		if a.records[key] != nil {
			return fmt.Errorf("record %d of SFI %d is there twice", f.Record, f.SFI)
		}
		a.records[key] = ber.Append(nil, uint32(emv.TagRecord), unhex(f.Data))
		a.afl = append(a.afl, byte(f.SFI)<<3, byte(f.Record), byte(f.Record), 0)
	}
	return nil
}

func (a *app) lay(sfi, record byte, objects []object) {
	var body []byte
	for _, o := range objects {
		body = ber.Append(body, uint32(o.tag), o.value)
	}
	a.records[recordKey{sfi, record}] = ber.Append(nil, uint32(emv.TagRecord), body)
}

// track2 is tag 57. With a CVK its discretionary data hold PVKI and PVV as the
// profile gives them, then the iCVV, as on Visa cards.
func (p *Application) track2() ([]byte, error) {
	discretionary := p.Discretionary
	if p.Keys.CVK != "" {
		key := unhex(p.Keys.CVK)
		defer clear(key)
		icvv, err := cardcodes.ICVV(key, []byte(p.PAN), []byte(p.Expiry))
		if err != nil {
			return nil, fmt.Errorf("computing the iCVV: %w", err)
		}
		d := discretionary + strings.Repeat("0", 13)
		discretionary = d[:5] + string(icvv) + d[8:max(8, len(discretionary))]
	}
	text := p.PAN + "D" + p.Expiry + p.ServiceCode + discretionary
	if len(text) > 37 {
		return nil, fmt.Errorf("track 2 has %d characters, at most 37 fit", len(text))
	}
	if len(text)%2 == 1 {
		text += "F"
	}
	return hex.DecodeString(text)
}

// expiryDate is the last day of the month of expiry (tag 5F24, YYMMDD).
func (p *Application) expiryDate() []byte {
	month, err := time.Parse("0601", p.Expiry)
	if err != nil {
		return unhex(p.Expiry + "31")
	}
	return unhex(month.AddDate(0, 1, -1).Format("060102"))
}

// packPAN is format cn: digits to the left, filled with F.
func packPAN(pan string) []byte {
	if len(pan)%2 == 1 {
		pan += "F"
	}
	return unhex(pan)
}
