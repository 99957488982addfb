package card

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"tallystick.example/internal/conf"
)

//go:embed profiles/*.yaml
var embedded embed.FS

// maxProfile bounds a profile file.
const maxProfile = 64 << 10

// A Profile is what is personalized into a card, in the form of its YAML file.
// Hexadecimal texts have no separators.
type Profile struct {
	Name    string `yaml:"name"`    // names the card in state files and logs
	Comment string `yaml:"comment"` // for people
	PSE     bool   `yaml:"pse"`     // answers to 1PAY.SYS.DDF01
	// PIN is the cardholder's PIN, 4 to 12 digits. The card compares it for
	// offline verification; the issuer checks the same one online.
	PIN         string        `yaml:"pin"`
	PINTryLimit int           `yaml:"pin_try_limit"` // 1 to 15, default 3
	Apps        []Application `yaml:"applications"`  // 1 to 8, in the order of partial selection
	Faults      Faults        `yaml:"faults"`
}

// An Application is one payment application of a card.
type Application struct {
	AID           string `yaml:"aid"`            // 5 to 16 bytes
	Label         string `yaml:"label"`          // tag 50, 1 to 16 characters
	PreferredName string `yaml:"preferred_name"` // tag 9F12, optional
	Priority      int    `yaml:"priority"`       // tag 87, 1 to 15; 0 leaves it out
	Confirm       bool   `yaml:"confirm"`        // the cardholder must confirm the selection
	Language      string `yaml:"language"`       // tag 5F2D, one to four codes of two letters

	PAN           string `yaml:"pan"`           // 13 to 19 digits, a public test PAN
	PSN           string `yaml:"psn"`           // two digits, tag 5F34; empty leaves it out
	Expiry        string `yaml:"expiry"`        // YYMM, valid to the end of the month
	Effective     string `yaml:"effective"`     // YYMMDD
	Cardholder    string `yaml:"cardholder"`    // tag 5F20
	ServiceCode   string `yaml:"service_code"`  // three digits
	Discretionary string `yaml:"discretionary"` // digits behind the service code on track 2
	Country       string `yaml:"country"`       // issuer country, ISO 3166 numeric, four digits
	Currency      string `yaml:"currency"`      // application currency, ISO 4217 numeric, four digits
	Exponent      int    `yaml:"exponent"`      // decimal places of the currency

	AIP      string `yaml:"aip"`       // tag 82, 2 bytes
	Usage    string `yaml:"usage"`     // tag 9F07, 2 bytes
	Version  string `yaml:"version"`   // tag 9F08, 2 bytes
	CVMList  string `yaml:"cvm_list"`  // tag 8E
	IAC      IAC    `yaml:"iac"`       // issuer action codes, 5 bytes each
	PDOL     string `yaml:"pdol"`      // tag 9F38, optional
	CDOL1    string `yaml:"cdol1"`     // tag 8C
	CDOL2    string `yaml:"cdol2"`     // tag 8D
	Template int    `yaml:"template"`  // answers in format 1 (tag 80) or 2 (tag 77)
	Extra    []File `yaml:"records"`   // records in addition to the standard ones
	Keys     Keys   `yaml:"keys"`      //
	ODA      ODA    `yaml:"oda"`       // RSA keys for offline data authentication
	Risk     Risk   `yaml:"risk"`      //
	IssuerID string `yaml:"issuer_id"` // tag 42, issuer identification number, optional
}

// IAC are the issuer action codes.
type IAC struct {
	Denial  string `yaml:"denial"`
	Online  string `yaml:"online"`
	Default string `yaml:"default"`
}

// A File is one record.
type File struct {
	SFI    int    `yaml:"sfi"`    // 1 to 30
	Record int    `yaml:"record"` // from 1
	Data   string `yaml:"data"`   // data objects; template 70 is put around them
}

// Keys are the issuer's master keys, from which the card derives its own.
type Keys struct {
	Profile     string `yaml:"profile"`      // cryptogram version, such as visa_cvn18
	Option      string `yaml:"option"`       // A or B, default A
	DKI         string `yaml:"dki"`          // derivation key index, 1 byte
	IMKAC       string `yaml:"imk_ac"`       // 16 bytes
	IMKSMI      string `yaml:"imk_smi"`      // 16 bytes; scripts without a MAC are accepted when it is empty
	CVK         string `yaml:"cvk"`          // 16 bytes: puts an iCVV on the chip's track 2; optional
	ARPCMethods []int  `yaml:"arpc_methods"` // accepted answers of the issuer, default both
}

// Risk is what the card itself decides by.
type Risk struct {
	// OfflineLimit is how many transactions in a row the card approves without
	// the issuer (0: none), OfflineAmount the highest amount of one, in minor
	// units.
	OfflineLimit  int   `yaml:"offline_limit"`
	OfflineAmount int64 `yaml:"offline_amount"`
	// IssuerAuthRequired makes the card decline online answers without a right
	// ARPC; otherwise only a wrong one makes it decline.
	IssuerAuthRequired bool `yaml:"issuer_auth_required"`
	// LowerLimit and UpperLimit are tags 9F14 and 9F23; 0 leaves both out.
	LowerLimit int `yaml:"lower_limit"`
	UpperLimit int `yaml:"upper_limit"`
}

// Faults make a card misbehave, to test what is on the other side.
type Faults struct {
	WrongCertificate bool `yaml:"wrong_certificate"` // one bit of the issuer's certificate is changed
	WrongSignature   bool `yaml:"wrong_signature"`   // one bit of every dynamic signature is changed

	WrongKey   bool              `yaml:"wrong_key"`   // cryptograms under a key that no issuer has
	AcceptARPC bool              `yaml:"accept_arpc"` // does not check the issuer's answer
	RefuseARPC bool              `yaml:"refuse_arpc"` // finds every answer of the issuer wrong
	DeclineARC bool              `yaml:"decline"`     // answers AAC to the second GENERATE AC
	ReplayATC  bool              `yaml:"replay_atc"`  // does not count transactions
	AlwaysTC   bool              `yaml:"always_tc"`   // answers TC whatever was asked
	Mute       []string          `yaml:"mute"`        // names of commands that are not answered
	Status     map[string]string `yaml:"status"`      // name of a command: status bytes to refuse it with
}

// Load finds a profile: a built-in one by its name, else a YAML file by its path.
func Load(nameOrFile string) (*Profile, error) {
	if slices.Contains(Names(), nameOrFile) {
		b, err := embedded.ReadFile(path.Join("profiles", nameOrFile+".yaml"))
		if err != nil {
			return nil, fmt.Errorf("reading the built-in card %s: %w", nameOrFile, err)
		}
		return Parse(b)
	}
	info, err := os.Stat(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no card %q: neither a file nor one of %s", nameOrFile, strings.Join(Names(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the card: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxProfile {
		return nil, fmt.Errorf("the card %s is no file of at most %d bytes", nameOrFile, maxProfile)
	}
	b, err := os.ReadFile(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("reading the card: %w", err)
	}
	p, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("the card %s: %w", nameOrFile, err)
	}
	return p, nil
}

// Parse reads a profile from YAML, strictly, fills in defaults and checks it.
func Parse(b []byte) (*Profile, error) {
	p := &Profile{}
	if err := conf.Parse(b, p); err != nil {
		return nil, err
	}
	p.setDefaults()
	if err := p.Check(); err != nil {
		return nil, err
	}
	return p, nil
}

// Names are the built-in profiles, sorted.
func Names() []string {
	entries, err := embedded.ReadDir("profiles")
	if err != nil {
		panic("card: the built-in profiles are missing")
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}
