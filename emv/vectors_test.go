package emv_test

import (
	"testing"

	"tallystick.example/emv"
	"tallystick.example/testvectors/vectortest"
)

func TestDOLVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_dol", "emv.dol.parse") {
		dol, err := emv.ParseDOL(v.Hex("dol"))
		entries := []any{}
		for _, e := range dol {
			entries = append(entries, map[string]any{"tag": e.Tag.String(), "length": e.Length})
		}
		v.Check(t, "entries", entries, err)
		v.Check(t, "length", dol.Len(), err)
	}
	for _, v := range vectortest.Load(t, "emv_dol", "emv.dol.build") {
		var sources []emv.Getter
		for _, s := range v.Objects("sources") {
			var d emv.Data
			for name := range s {
				tag, err := emv.ParseTag(name)
				if err != nil {
					t.Fatal(err)
				}
				d.Set(tag, s.Hex(name))
			}
			sources = append(sources, &d)
		}
		data, err := emv.BuildDOL(v.Hex("dol"), sources...)
		v.Check(t, "data", data, err)
	}
}

func TestFormatVectors(t *testing.T) {
	formats := map[string]emv.Format{"n": emv.FormatN, "cn": emv.FormatCN}
	for _, v := range vectortest.Load(t, "emv_format", "emv.format") {
		value, err := emv.FormatDigits(formats[v.Text("format")], v.Text("text"), v.Int("length"))
		v.Check(t, "value", value, err)
	}
}

func TestFieldVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_fields") {
		checkField(t, v)
	}
}

func checkField(t *testing.T, v vectortest.Vector) {
	switch v.Op {
	case "emv.bits":
		set := []any{}
		for _, b := range emv.Bits(v.Hex("value")) {
			set = append(set, map[string]any{"byte": b.Byte(), "bit": b.Number()})
		}
		v.Check(t, "set", set, nil)
	case "emv.cvm_results.decode":
		r, err := emv.ParseCVMResults(v.Hex("value"))
		v.Check(t, "code", int(r.Code.Method()), err)
		v.Check(t, "condition", int(r.Condition), err)
		v.Check(t, "continue_if_failed", r.Code.ContinueIfFailed(), err)
		v.Check(t, "result", r.Outcome.String(), err)
	case "emv.cid.decode":
		c := emv.CID(v.Hex("value")[0])
		v.Check(t, "cryptogram", c.Cryptogram().String(), nil)
		v.Check(t, "payment_system", c.PaymentSystem(), nil)
		v.Check(t, "advice", c.Advice(), nil)
		v.Check(t, "reason", c.Reason(), nil)
	case "emv.date.decode":
		d, err := emv.ParseDay(v.Hex("value"))
		v.Check(t, "year", d.Year, err)
		v.Check(t, "month", d.Month, err)
		v.Check(t, "day", d.Day, err)
	case "emv.terminal_type.decode":
		tt := emv.TerminalType(v.Hex("value")[0])
		v.Check(t, "operator", string(tt.Operator()), nil)
		v.Check(t, "attended", tt.Attended(), nil)
		v.Check(t, "capability", string(tt.Connection()), nil)
	case "iso7816.sw.decode":
		b := v.Hex("sw")
		checkSW(t, v, emv.SW(b[0])<<8|emv.SW(b[1]))
	case "iso4217.lookup":
		c, ok := emv.LookupCurrency(v.Text("code"))
		if !ok {
			t.Errorf("%s: not found", v.Name)
		}
		v.Check(t, "numeric", c.Numeric, nil)
		v.Check(t, "alphabetic", c.Alphabetic, nil)
		v.Check(t, "minor_units", c.MinorUnits, nil)
	case "iso3166.lookup":
		c, ok := emv.LookupCountry(v.Text("code"))
		if !ok {
			t.Errorf("%s: not found", v.Name)
		}
		v.Check(t, "numeric", c.Numeric, nil)
		v.Check(t, "alpha2", c.Alpha2, nil)
		v.Check(t, "alpha3", c.Alpha3, nil)
	default:
		t.Errorf("%s: operation %s has no check", v.Name, v.Op)
	}
}

func checkSW(t *testing.T, v vectortest.Vector, sw emv.SW) {
	v.Check(t, "class", sw.Class(), nil)
	for key, f := range map[string]func() (int, bool){
		"available": sw.Available, "exact_length": sw.ExactLength, "counter": sw.Counter,
	} {
		n, ok := f()
		if ok != v.Out.Has(key) {
			t.Errorf("%s: %s is there: %v", v.Name, key, ok)
		}
		if ok {
			v.Check(t, key, n, nil)
		}
	}
}

func TestIADVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_iad", "emv.iad.decode") {
		iad, err := emv.ParseIAD(emv.Layout(v.Text("layout")), v.Hex("iad"))
		version := "cvn"
		if v.Out.Has("cci") {
			version = "cci"
		}
		v.Check(t, version, []byte{iad.CVN}, err)
		v.Check(t, "dki", []byte{iad.DKI}, err)
		v.Check(t, "cvr", iad.CVR, err)
		for key, part := range map[string][]byte{
			"dac_or_idn": iad.DACOrIDN, "counters": iad.Counters, "discretionary": iad.Discretionary,
		} {
			if v.Out.Has(key) {
				v.Check(t, key, part, err)
			}
		}
	}
}

func TestCVMListVectors(t *testing.T) {
	for _, v := range vectortest.Load(t, "emv_cvm", "emv.cvm.parse") {
		list, err := emv.ParseCVMList(v.Hex("cvm_list"))
		rules := []any{}
		for _, r := range list.Rules {
			rules = append(rules, map[string]any{
				"code": hexByte(byte(r.Code)), "condition": hexByte(byte(r.Condition)),
			})
		}
		v.Check(t, "x", int(list.X), err)
		v.Check(t, "y", int(list.Y), err)
		v.Check(t, "rules", rules, err)
	}
}
