package params

import (
	"cmp"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"tallystick.example/internal/conf"
)

// maxEMVXML bounds a file to import.
const maxEMVXML = 1 << 20

// An EMVImport is what the EMV XML form of emv-utils says, as far as this
// configuration has a place for it.
type EMVImport struct {
	Terminal     [][2]string // keys of terminal and their values
	Applications []Application
	CAKeys       []CAKey
	PassedOver   []string // tags and objects without a place here
}

// The elements of the form.
type (
	xmlEMV struct {
		XMLName xml.Name  `xml:"emv"`
		Data    xmlData   `xml:"data"`
		Apps    []xmlApp  `xml:"app"`
		CAPKs   []xmlCAPK `xml:"capk"`
		Unknown []xmlAny  `xml:",any"`
	}
	xmlData struct {
		TLVs    []xmlTLV `xml:"tlv"`
		Objects []xmlObj `xml:"obj"`
		Unknown []xmlAny `xml:",any"`
	}
	xmlTLV struct {
		Tag   string `xml:"id,attr"`
		Value string `xml:",chardata"`
	}
	xmlObj struct {
		OID string `xml:"oid,attr"`
	}
	xmlApp struct {
		AID       string   `xml:"aid,attr"`
		Match     string   `xml:"match,attr"`
		Data      xmlData  `xml:"data"`
		Target    string   `xml:"random_selection_percentage"`
		Max       string   `xml:"random_selection_max_percentage"`
		Threshold string   `xml:"random_selection_threshold"`
		Unknown   []xmlAny `xml:",any"`
	}
	xmlCAPK struct {
		RID      string   `xml:"rid,attr"`
		Index    string   `xml:"index,attr"`
		Hash     string   `xml:"hash_id,attr"`
		Modulus  string   `xml:"modulus"`
		Exponent string   `xml:"exponent"`
		Checksum string   `xml:"hash"`
		Unknown  []xmlAny `xml:",any"`
	}
	xmlAny struct{ XMLName xml.Name }
)

// ImportEMV reads the EMV XML form of emv-utils. The form has no expiry of CA keys
// and does not mark test keys, so these are given: expires as YYYY-MM-DD. Unknown
// elements, values that are not hexadecimal or text, and keys with a wrong check
// sum are errors; the terminal action codes of the result are zeros.
func ImportEMV(r io.Reader, expires string, test bool) (*EMVImport, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxEMVXML+1))
	if err != nil {
		return nil, fmt.Errorf("reading the EMV XML: %w", err)
	}
	if len(b) > maxEMVXML {
		return nil, fmt.Errorf("the EMV XML has more than %d bytes", maxEMVXML)
	}
	var doc xmlEMV
	if err := xml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("the EMV XML: %w", err)
	}
	if err := doc.known(); err != nil {
		return nil, err
	}
	im := &EMVImport{}
	general, err := im.general(doc.Data)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range doc.Apps {
		app, err := im.application(a, general)
		im.Applications, errs = append(im.Applications, app), append(errs, err)
	}
	for _, k := range doc.CAPKs {
		key, err := k.key(expires, test)
		im.CAKeys, errs = append(im.CAKeys, key), append(errs, err)
	}
	return im, errors.Join(errs...)
}

// known refuses elements that the form does not have.
func (d xmlEMV) known() error {
	all := append(d.Unknown, d.Data.Unknown...)
	for _, a := range d.Apps {
		all = append(append(all, a.Unknown...), a.Data.Unknown...)
	}
	for _, k := range d.CAPKs {
		all = append(all, k.Unknown...)
	}
	if len(all) > 0 {
		return fmt.Errorf("the EMV XML has an element %q that the form does not know", all[0].XMLName.Local)
	}
	return nil
}

// value is a TLV's value in hexadecimal: text stands in quotes.
func (t xmlTLV) value() (string, error) {
	v := strings.TrimSpace(t.Value)
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return hex.EncodeToString([]byte(v[1 : len(v)-1])), nil
	}
	return plainHex("tag "+t.Tag, v)
}

// plainHex takes the white space out of hexadecimal and checks the rest.
func plainHex(what, v string) (string, error) {
	v = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, v)
	if b, err := hex.DecodeString(v); err != nil || len(b) == 0 {
		return "", fmt.Errorf("the EMV XML: %s is neither hexadecimal nor text in quotes", what)
	}
	return v, nil
}

// terminalKeys are the tags that the terminal's part of the configuration has.
var terminalKeys = map[string]struct {
	key  string
	read func(v string) string
}{
	"9F01": {"acquirer", func(v string) string { return quoted(strings.TrimLeft(v, "0")) }},
	"9F15": {"mcc", decimal},
	"9F1A": {"country", decimal},
	"9F1E": {"serial", func(v string) string { return quoted(text(v)) }},
	"9F33": {"capabilities", quoted},
	"9F35": {"type", quoted},
	"9F40": {"more_capabilities", quoted},
}

func quoted(v string) string  { return strconv.Quote(v) }
func decimal(v string) string { return cmp.Or(strings.TrimLeft(v, "0"), "0") }
func text(v string) string    { return strings.TrimSpace(string(unhex(v))) }

// general takes the application independent data and returns those that are
// defaults of applications: 9F1B, 9F49, 97 and 9F09.
func (im *EMVImport) general(d xmlData) (map[string]string, error) {
	defaults := map[string]string{}
	for _, t := range d.TLVs {
		tag := strings.ToUpper(strings.TrimSpace(t.Tag))
		v, err := t.value()
		if err != nil {
			return nil, err
		}
		switch k, ok := terminalKeys[tag]; {
		case ok:
			im.Terminal = append(im.Terminal, [2]string{k.key, k.read(v)})
		case tag == "9F1B" || tag == "9F49" || tag == "97" || tag == "9F09":
			defaults[tag] = v
		default:
			im.PassedOver = append(im.PassedOver, "tag "+tag)
		}
	}
	for _, o := range d.Objects {
		im.PassedOver = append(im.PassedOver, "object "+o.OID)
	}
	return defaults, nil
}

// application is one app element.
func (im *EMVImport) application(a xmlApp, general map[string]string) (Application, error) {
	own := map[string]string{"9F09": "0000"}
	for tag, v := range general {
		own[tag] = v
	}
	aid, err := plainHex("an AID", a.AID)
	if err != nil {
		return Application{}, err
	}
	for _, t := range a.Data.TLVs {
		tag := strings.ToUpper(strings.TrimSpace(t.Tag))
		v, err := t.value()
		if err != nil {
			return Application{}, fmt.Errorf("application %s: %w", aid, err)
		}
		if tag != "9F1B" && tag != "9F49" && tag != "97" && tag != "9F09" {
			im.PassedOver = append(im.PassedOver, "tag "+tag+" of application "+aid)
			continue
		}
		own[tag] = v
	}
	out := Application{AID: aid, Partial: a.Match == "partial", Version: own["9F09"], DDOL: own["9F49"], TDOL: own["97"],
		TACDenial: "0000000000", TACOnline: "0000000000", TACDefault: "0000000000"}
	if a.Match != "partial" && a.Match != "exact" {
		return out, fmt.Errorf("application %s: match is %q, want exact or partial", aid, a.Match)
	}
	for _, n := range []struct {
		text string
		base int
		to   func(int64)
	}{
		{own["9F1B"], 16, func(v int64) { out.FloorLimit = v }},
		{a.Threshold, 10, func(v int64) { out.RandomThreshold = v }},
		{a.Target, 10, func(v int64) { out.RandomTarget = int(v) }},
		{cmp.Or(a.Max, a.Target), 10, func(v int64) { out.RandomMax = int(v) }},
	} {
		if strings.TrimSpace(n.text) == "" {
			continue
		}
		v, err := strconv.ParseUint(strings.TrimSpace(n.text), n.base, 32)
		if err != nil {
			return out, fmt.Errorf("application %s: a limit or percentage is no number of that size", aid)
		}
		n.to(int64(v))
	}
	return out, nil
}

// key is one capk element, checked.
func (k xmlCAPK) key(expires string, test bool) (CAKey, error) {
	out := CAKey{Expires: expires, Test: test}
	if strings.TrimSpace(k.Hash) != "01" {
		return out, fmt.Errorf("CA key %s %s: hash_id is %q, only 01 (SHA-1) exists", k.RID, k.Index, k.Hash)
	}
	for _, f := range []struct {
		to   *string
		name string
		from string
	}{{&out.RID, "RID", k.RID}, {&out.Index, "index", k.Index}, {&out.Modulus, "modulus", k.Modulus},
		{&out.Exponent, "exponent", k.Exponent}, {&out.Checksum, "hash", k.Checksum}} {
		v, err := plainHex("the "+f.name+" of CA key "+k.RID+" "+k.Index, f.from)
		if err != nil {
			return out, err
		}
		*f.to = v
	}
	c := Config{Mode: conf.Lab, CAKeys: []CAKey{out}}
	return out, c.checkCAKeys()
}

// YAML is the import as keys of an agent's configuration, to be pasted there.
func (im *EMVImport) YAML() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, p := range im.PassedOver {
		line("# passed over: %q", p)
	}
	if len(im.Terminal) > 0 {
		line("terminal:")
	}
	for _, kv := range im.Terminal {
		line("  %s: %s", kv[0], kv[1])
	}
	if len(im.Applications) > 0 {
		line("# The form has no terminal action codes: set those of your schemes.\napplications:")
	}
	for _, a := range im.Applications {
		line("  - aid: %q\n    partial: %v\n    version: %q\n    tac_denial: %q\n    tac_online: %q\n    tac_default: %q\n    floor_limit: %d",
			a.AID, a.Partial, a.Version, a.TACDenial, a.TACOnline, a.TACDefault, a.FloorLimit)
		line("    ddol: %q\n    tdol: %q\n    random_threshold: %d\n    random_target: %d\n    random_max: %d",
			a.DDOL, a.TDOL, a.RandomThreshold, a.RandomTarget, a.RandomMax)
	}
	if len(im.CAKeys) > 0 {
		line("ca_keys:")
	}
	for _, k := range im.CAKeys {
		line("  - rid: %q\n    index: %q\n    exponent: %q\n    checksum: %q\n    expires: %s\n    test: %v\n    modulus: %q",
			k.RID, k.Index, k.Exponent, k.Checksum, k.Expires, k.Test, k.Modulus)
	}
	return b.String()
}
