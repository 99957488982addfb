package card

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/conf"
)

// ODA gives an application RSA keys for offline data authentication. The keys are
// those named by Keys, or made from Seed, or written out; always test keys.
type ODA struct {
	// Methods are those that the card offers, of sda, dda and cda: their bits are
	// added to the AIP. Without one the application has no RSA keys.
	Methods []string `yaml:"methods"`
	Keys    string   `yaml:"keys"` // "lab": the built-in test keys
	Seed    string   `yaml:"seed"` // a text from which all keys are made; slow for long keys
	Bits    RSABits  `yaml:"bits"` // sizes of keys made from the seed
	// CA, Issuer and ICC are keys written out; PIN is an own key for enciphered
	// PINs, for which else the card's key serves.
	CA      RSAKey `yaml:"ca"`
	Issuer  RSAKey `yaml:"issuer"`
	ICC     RSAKey `yaml:"icc"`
	PIN     RSAKey `yaml:"pin"`
	Index   string `yaml:"index"`   // of the CA's key, tag 8F, default F9
	Serial  string `yaml:"serial"`  // of the issuer's certificate, 3 bytes, default 000001
	Expiry  string `yaml:"expiry"`  // of both certificates, YYMM, default that of the card
	DDOL    string `yaml:"ddol"`    // tag 9F49, default 9F3704
	DAC     string `yaml:"dac"`     // tag 9F45, 2 bytes, default DAC1
	PINKeys bool   `yaml:"pin_key"` // whether keys by name or seed come with an own PIN key
}

// RSABits are sizes of keys in bits, 512 to 1984 and none above the one before.
type RSABits struct {
	CA     int `yaml:"ca"`     // default 1408
	Issuer int `yaml:"issuer"` // default 1408
	ICC    int `yaml:"icc"`    // default 1152
	PIN    int `yaml:"pin"`    // default 1024
}

// RSAKey is a key as three numbers in hexadecimal.
type RSAKey struct {
	Modulus  string `yaml:"modulus"`
	Exponent string `yaml:"exponent"` // 03 or 010001
	Private  string `yaml:"private_exponent"`
}

// labKeys names the built-in test keys.
const labKeys = "lab"

//go:embed keys/lab.yaml
var labKeyFile embed.FS

func (o *ODA) setDefaults(expiry string) {
	o.Index, o.Serial = cmp.Or(o.Index, "F9"), cmp.Or(o.Serial, "000001")
	o.Expiry, o.DDOL, o.DAC = cmp.Or(o.Expiry, expiry), cmp.Or(o.DDOL, "9F3704"), cmp.Or(o.DAC, "DAC1")
	o.Bits.CA, o.Bits.Issuer = cmp.Or(o.Bits.CA, 1408), cmp.Or(o.Bits.Issuer, 1408)
	o.Bits.ICC, o.Bits.PIN = cmp.Or(o.Bits.ICC, 1152), cmp.Or(o.Bits.PIN, 1024)
}

// methodBits are the bits of the AIP.
var methodBits = map[string]emv.Bit{"sda": emv.AIPSDA, "dda": emv.AIPDDA, "cda": emv.AIPCDA}

func (o *ODA) offers(method string) bool { return slices.Contains(o.Methods, method) }

func (o *ODA) check(a *Application) error {
	if len(o.Methods) == 0 {
		return nil
	}
	errs := []error{
		hexBytes("oda.index", o.Index, 1, 1), hexBytes("oda.serial", o.Serial, 3, 3), number("oda.expiry", o.Expiry, 4, 4),
		dol("oda.ddol", o.DDOL), hexBytes("oda.dac", o.DAC, 2, 2),
	}
	for _, m := range o.Methods {
		if _, ok := methodBits[m]; !ok {
			errs = append(errs, fmt.Errorf("oda.methods has %q, want some of sda, dda, cda", m))
		}
	}
	sources := 0
	for _, there := range []bool{o.Keys != "", o.Seed != "", o.CA != RSAKey{}} {
		if there {
			sources++
		}
	}
	if sources != 1 || o.Keys != "" && o.Keys != labKeys {
		errs = append(errs, errors.New(`oda needs keys: "lab", or a seed, or the keys written out`))
	}
	last := 1984
	for name, bits := range map[string]int{"ca": o.Bits.CA, "issuer": o.Bits.Issuer, "icc": o.Bits.ICC, "pin": o.Bits.PIN} {
		errs = append(errs, conf.InRange("oda.bits."+name, bits, 512, last))
	}
	if o.Bits.Issuer > o.Bits.CA || o.Bits.ICC > o.Bits.Issuer || o.Bits.PIN > o.Bits.Issuer {
		errs = append(errs, errors.New("oda.bits: no key may be longer than the one that certifies it"))
	}
	if o.offers("cda") && !(dolHas(a.CDOL1, emv.TagUnpredictable) && dolHas(a.CDOL2, emv.TagUnpredictable)) {
		errs = append(errs, errors.New("cda needs tag 9F37 in cdol1 and cdol2 (EMV Book 2, 6.6)"))
	}
	return errors.Join(errs...)
}

func dolHas(list string, tag emv.Tag) bool {
	d, err := emv.ParseDOL(unhex(list))
	return err == nil && d.Has(tag)
}

// A keySet are the keys of an application; pin is nil where it has none of its own.
type keySet struct{ ca, issuer, icc, pin *issue.Key }

// resolve finds or makes the keys.
func (o *ODA) resolve() (keySet, error) {
	switch {
	case o.Keys == labKeys:
		all, err := builtInKeys()
		if err != nil {
			return keySet{}, err
		}
		if !o.PINKeys {
			all.pin = nil
		}
		return all, nil
	case o.Seed != "":
		return o.generate()
	}
	return o.written()
}

func (o *ODA) written() (k keySet, err error) {
	for _, x := range []struct {
		to   **issue.Key
		name string
		from RSAKey
	}{{&k.ca, "ca", o.CA}, {&k.issuer, "issuer", o.Issuer}, {&k.icc, "icc", o.ICC}, {&k.pin, "pin", o.PIN}} {
		if x.name == "pin" && x.from == (RSAKey{}) {
			continue
		}
		if *x.to, err = issue.NewKey(unhex(x.from.Modulus), unhex(x.from.Exponent), unhex(x.from.Private)); err != nil {
			return keySet{}, fmt.Errorf("oda.%s: %w", x.name, err)
		}
	}
	return k, nil
}

// builtInKeys reads the lab's keys once.
var builtInKeys = sync.OnceValues(func() (keySet, error) {
	b, err := labKeyFile.ReadFile("keys/lab.yaml")
	if err != nil {
		return keySet{}, err
	}
	var file ODA
	if err := conf.Parse(b, &file); err != nil {
		return keySet{}, fmt.Errorf("the built-in keys: %w", err)
	}
	return file.written()
})

// made remembers keys that were made from a seed: it takes seconds.
var made sync.Map

// generate makes the keys of a seed. The authority's and the issuer's depend on
// the seed and their size alone, so that cards of one seed have them in common.
func (o *ODA) generate() (k keySet, err error) {
	for _, x := range []struct {
		to       **issue.Key
		name     string
		bits     int
		exponent int64
	}{{&k.ca, "ca", o.Bits.CA, 3}, {&k.issuer, "issuer", o.Bits.Issuer, 3}, {&k.icc, "icc", o.Bits.ICC, 65537}, {&k.pin, "pin", o.Bits.PIN, 3}} {
		if x.name == "pin" && !o.PINKeys {
			continue
		}
		name := fmt.Sprintf("%s/%s/%d", o.Seed, x.name, x.bits)
		key, ok := made.Load(name)
		if !ok {
			if key, err = issue.Generate(issue.Stream(name), x.bits, x.exponent); err != nil {
				return keySet{}, fmt.Errorf("oda: making the %s key: %w", x.name, err)
			}
			made.Store(name, key)
		}
		*x.to = key.(*issue.Key)
	}
	return k, nil
}

// CAKeys are the public keys of the authorities that stand behind the card's
// applications, for the configuration of a terminal in the lab, one for each RID
// and index.
func (p *Profile) CAKeys() ([]oda.CAKey, error) {
	var out []oda.CAKey
	for i := range p.Apps {
		a := &p.Apps[i]
		if len(a.ODA.Methods) == 0 {
			continue
		}
		keys, err := a.ODA.resolve()
		if err != nil {
			return nil, err
		}
		k := oda.CAKey{RID: [5]byte(unhex(a.AID)), Index: unhex(a.ODA.Index)[0], Modulus: keys.ca.Modulus(),
			Exponent: keys.ca.Exponent(), Expires: emv.Day{Year: 2049, Month: 12, Day: 31}}
		k.Checksum = k.Sum()
		if !slices.ContainsFunc(out, func(o oda.CAKey) bool { return o.RID == k.RID && o.Index == k.Index }) {
			out = append(out, k)
		}
	}
	return out, nil
}

// ICCKey is the public key that the application signs with; empty without RSA keys.
func (a *Application) ICCKey() (modulus, exponent []byte, err error) {
	if len(a.ODA.Methods) == 0 {
		return nil, nil, nil
	}
	keys, err := a.ODA.resolve()
	if err != nil {
		return nil, nil, err
	}
	return keys.icc.Modulus(), keys.icc.Exponent(), nil
}

// CAKeysYAML is the key ca_keys of an agent's configuration with the authorities
// of the card, marked as test keys; empty for a card without RSA keys.
func (p *Profile) CAKeysYAML() (string, error) {
	keys, err := p.CAKeys()
	if err != nil || len(keys) == 0 {
		return "", err
	}
	var b strings.Builder
	b.WriteString("ca_keys:\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  - {rid: \"%X\", index: \"%02X\", exponent: \"%X\", expires: %v, test: true,\n     checksum: \"%X\",\n     modulus: \"%X\"}\n",
			k.RID, k.Index, k.Exponent, k.Expires, k.Checksum, k.Modulus)
	}
	return b.String(), nil
}
