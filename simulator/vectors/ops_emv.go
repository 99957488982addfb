package vectors

import (
	"fmt"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

// emvOps are data objects, lists, formats and the meaning of fields.
func emvOps() map[string]Op {
	return map[string]Op{
		"emv.tlv.decode":           tlvDecode,
		"emv.dol.parse":            dolParse,
		"emv.dol.build":            dolBuild,
		"emv.format":               emvFormat,
		"emv.bits":                 emvBits,
		"emv.cvm_results.decode":   cvmResults,
		"emv.cid.decode":           cidDecode,
		"emv.date.decode":          dateDecode,
		"emv.terminal_type.decode": terminalType,
		"emv.iad.decode":           iadDecode,
		"emv.cvm.parse":            cvmParse,
		"iso7816.sw.decode":        swDecode,
		"iso4217.lookup":           currencyLookup,
		"iso3166.lookup":           countryLookup,
	}
}

func tlvDecode(in Input) (map[string]any, error) {
	nodes, err := ber.Parse(in.Hex("data"), ber.Limits{})
	if err != nil {
		return nil, err
	}
	return map[string]any{"objects": tlvTree(nodes)}, nil
}

func tlvTree(nodes []ber.Node) []any {
	list := []any{}
	for _, n := range nodes {
		o := map[string]any{"tag": emv.Tag(n.Tag).String()}
		if n.Constructed() {
			o["children"] = tlvTree(n.Children)
		} else {
			o["value"] = fmt.Sprintf("%X", n.Value)
		}
		list = append(list, o)
	}
	return list
}

func dolParse(in Input) (map[string]any, error) {
	dol, err := emv.ParseDOL(in.Hex("dol"))
	if err != nil {
		return nil, err
	}
	entries := []any{}
	for _, e := range dol {
		entries = append(entries, map[string]any{"tag": e.Tag.String(), "length": e.Length})
	}
	return map[string]any{"entries": entries, "length": dol.Len()}, nil
}

func dolBuild(in Input) (map[string]any, error) {
	var sources []emv.Getter
	for i := range in.Objects("sources") {
		d, err := tagData(Input{"tags": in.List("sources")[i]}, "tags")
		if err != nil {
			return nil, err
		}
		sources = append(sources, d)
	}
	data, err := emv.BuildDOL(in.Hex("dol"), sources...)
	return map[string]any{"data": data}, err
}

// tagData reads an object from tag to value.
func tagData(in Input, key string) (*emv.Data, error) {
	var d emv.Data
	for name, value := range in.Tags(key) {
		tag, err := emv.ParseTag(name)
		if err != nil {
			return nil, err
		}
		d.Set(tag, value)
	}
	return &d, nil
}

func emvFormat(in Input) (map[string]any, error) {
	formats := map[string]emv.Format{"n": emv.FormatN, "cn": emv.FormatCN}
	f, ok := formats[in.Text("format")]
	if !ok {
		return nil, fmt.Errorf("no format %q", in.Text("format"))
	}
	value, err := emv.FormatDigits(f, in.Text("text"), in.Int("length"))
	return map[string]any{"value": value}, err
}

func emvBits(in Input) (map[string]any, error) {
	if _, err := emv.ParseTag(in.Text("tag")); err != nil {
		return nil, err
	}
	set := []any{}
	for _, b := range emv.Bits(in.Hex("value")) {
		set = append(set, map[string]any{"byte": b.Byte(), "bit": b.Number()})
	}
	return map[string]any{"set": set}, nil
}

func cvmResults(in Input) (map[string]any, error) {
	r, err := emv.ParseCVMResults(in.Hex("value"))
	return map[string]any{
		"code": int(r.Code.Method()), "condition": int(r.Condition),
		"continue_if_failed": r.Code.ContinueIfFailed(), "result": r.Outcome.String(),
	}, err
}

// oneByte is a value of exactly one byte.
func oneByte(in Input, key string) (byte, error) {
	b := in.Hex(key)
	if len(b) != 1 {
		return 0, fmt.Errorf("%d bytes where one belongs", len(b))
	}
	return b[0], nil
}

func cidDecode(in Input) (map[string]any, error) {
	b, err := oneByte(in, "value")
	c := emv.CID(b)
	return map[string]any{
		"cryptogram": c.Cryptogram().String(), "payment_system": c.PaymentSystem(),
		"advice": c.Advice(), "reason": c.Reason(),
	}, err
}

func dateDecode(in Input) (map[string]any, error) {
	d, err := emv.ParseDay(in.Hex("value"))
	return map[string]any{"year": d.Year, "month": d.Month, "day": d.Day}, err
}

func terminalType(in Input) (map[string]any, error) {
	b, err := oneByte(in, "value")
	t := emv.TerminalType(b)
	if err == nil && !t.Valid() {
		err = fmt.Errorf("no terminal type %02X", b)
	}
	return map[string]any{
		"operator": string(t.Operator()), "attended": t.Attended(), "capability": string(t.Connection()),
	}, err
}

func iadDecode(in Input) (map[string]any, error) {
	layout := emv.Layout(in.Text("layout"))
	iad, err := emv.ParseIAD(layout, in.Hex("iad"))
	if err != nil {
		return nil, err
	}
	out := map[string]any{"dki": []byte{iad.DKI}, "cvr": iad.CVR}
	version := "cvn"
	if layout == emv.LayoutCCDA {
		version = "cci"
	}
	out[version] = []byte{iad.CVN}
	for key, part := range map[string][]byte{
		"dac_or_idn": iad.DACOrIDN, "counters": iad.Counters, "discretionary": iad.Discretionary,
	} {
		if part != nil {
			out[key] = part
		}
	}
	return out, nil
}

func cvmParse(in Input) (map[string]any, error) {
	list, err := emv.ParseCVMList(in.Hex("cvm_list"))
	rules := []any{}
	for _, r := range list.Rules {
		rules = append(rules, map[string]any{
			"code": fmt.Sprintf("%02X", byte(r.Code)), "condition": fmt.Sprintf("%02X", byte(r.Condition)),
		})
	}
	return map[string]any{"x": int64(list.X), "y": int64(list.Y), "rules": rules}, err
}

func swDecode(in Input) (map[string]any, error) {
	b := in.Hex("sw")
	if len(b) != 2 {
		return nil, fmt.Errorf("a status word of %d bytes", len(b))
	}
	sw := emv.SW(b[0])<<8 | emv.SW(b[1])
	out := map[string]any{"class": sw.Class()}
	if n, ok := sw.Available(); ok {
		out["available"] = n
	}
	if n, ok := sw.ExactLength(); ok {
		out["exact_length"] = n
	}
	if n, ok := sw.Counter(); ok {
		out["counter"] = n
	}
	return out, nil
}

func currencyLookup(in Input) (map[string]any, error) {
	c, ok := emv.LookupCurrency(in.Text("code"))
	if !ok {
		return nil, fmt.Errorf("no such currency")
	}
	return map[string]any{"numeric": c.Numeric, "alphabetic": c.Alphabetic, "minor_units": c.MinorUnits}, nil
}

func countryLookup(in Input) (map[string]any, error) {
	c, ok := emv.LookupCountry(in.Text("code"))
	if !ok {
		return nil, fmt.Errorf("no such country")
	}
	return map[string]any{"numeric": c.Numeric, "alpha2": c.Alpha2, "alpha3": c.Alpha3}, nil
}
