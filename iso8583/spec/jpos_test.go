package spec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"tallystick.example/iso8583/codec"
	"tallystick.example/iso8583/spec"
)

func packager(t testing.TB) []byte {
	t.Helper()
	raw, err := testdata.ReadFile("testdata/packager.xml")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestJPOSVectors: what jPOS has packed with an XML is read and written the same
// with the specification that comes of it, also after a detour over JSON.
func TestJPOSVectors(t *testing.T) {
	s, notes, err := spec.LoadJPOS(packager(t))
	if err != nil || len(notes) != 0 {
		t.Fatal(notes, err)
	}
	raw, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := spec.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	list := vectors(t, "jpos.json")
	for _, v := range list {
		roundTrip(t, s, v)
		roundTrip(t, again, v)
	}
	seen := map[string]bool{}
	for _, v := range list {
		for path := range v.Fields {
			seen[strings.SplitN(path, ".", 2)[0]] = true
		}
	}
	if want := len(s.Fields) - 1; len(seen) != want { // but the bitmap
		t.Errorf("the vectors have %d of %d elements", len(seen), want)
	}
}

const head = `<isopackager>
 <isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>
 <isofield id="1" length="16" name="bitmap" class="org.jpos.iso.IFA_BITMAP"/>`

func TestJPOSRefuses(t *testing.T) {
	const sub = `packager="org.jpos.iso.packager.GenericSubFieldPackager"`
	const within = `<isofield id="1" length="2" name="a" class="org.jpos.iso.IF_CHAR"/>`
	for _, tc := range []struct{ name, fields, path, reason string }{
		{"unknown class", `<isofield id="2" length="19" name="PAN" class="com.bank.OurField"/>`, "2", "com.bank.OurField has no equal"},
		{"class without equal", `<isofield id="2" length="19" name="PAN" class="org.jpos.iso.IFE_SIGNED_NUMERIC"/>`, "2", "no equal"},
		{"EBCDIC hexadecimal", `<isofield id="52" length="8" name="PIN" class="org.jpos.iso.IFE_BINARY"/>`, "52", "no equal"},
		{"filled with F", `<isofield id="2" length="19" name="PAN" class="org.jpos.iso.IFB_FLLNUM"/>`, "2", "with F"},
		{"odd hexadecimal", `<isofield id="2" length="3" name="h" class="org.jpos.iso.IFB_HEX"/>`, "2", "odd number"},
		{"length of LL", `<isofield id="2" length="100" name="PAN" class="org.jpos.iso.IFA_LLNUM"/>`, "2", "cannot say a length of 100"},
		{"length of letters", `<isofield id="2" length="x" name="PAN" class="org.jpos.iso.IFA_LLNUM"/>`, "2", "not possible"},
		{"trim", `<isofield id="2" length="9" trim="true" name="x" class="org.jpos.iso.IF_CHAR"/>`, "2", "trim"},
		{"params", `<isofield id="2" length="9" params="x" name="x" class="org.jpos.iso.IF_CHAR"/>`, "2", "params"},
		{"unknown attribute", `<isofield id="2" lenght="9" name="x" class="org.jpos.iso.IF_CHAR"/>`, "2", `"lenght"`},
		{"tagged outside", `<isofield id="2" length="9" name="x" class="org.jpos.iso.IFA_TTLLCHAR"/>`, "2", "outside"},
		{"twice", plain("2") + plain("2"), "2", "twice"},
		{"number", plain("two"), "", `"two"`},
		{"number above", plain("193"), "", `"193"`},
		{"unknown element", `<field id="2"/>`, "", "element field"},
		{"packager", `<isofieldpackager id="48" length="99" name="x" class="org.jpos.iso.IFA_LLCHAR" packager="org.jpos.iso.packager.EuroSubFieldPackager">` + within + `</isofieldpackager>`, "48", "EuroSubFieldPackager has no equal"},
		{"content in hexadecimal", `<isofieldpackager id="48" length="99" name="x" class="org.jpos.iso.IFA_LLABINARY" emitBitmap="false" ` + sub + `>` + within + `</isofieldpackager>`, "48", "another encoding"},
		{"no subfields", `<isofieldpackager id="48" length="99" name="x" class="org.jpos.iso.IFA_LLCHAR" emitBitmap="false" ` + sub + `/>`, "48", "no subfields"},
		{"no bitmap", `<isofieldpackager id="48" length="99" name="x" class="org.jpos.iso.IFA_LLCHAR" emitBitmap="true" bitmapField="0" ` + sub + `>` + within + `</isofieldpackager>`, "48", "bitmap, subfield 0"},
		{"never written", `<isofieldpackager id="48" length="99" name="x" class="org.jpos.iso.IFA_LLCHAR" emitBitmap="false" firstField="2" ` + sub + `>` + within + `</isofieldpackager>`, "48.1", "never writes"},
		{"nested class", `<isofieldpackager id="48" length="99" name="x" class="org.jpos.iso.IFA_LLCHAR" emitBitmap="false" ` + sub + `><isofield id="3" length="2" name="a" class="org.jpos.iso.IF_NOP"/></isofieldpackager>`, "48.3", "IF_NOP has no equal"},
		{"swapped tag", tagger(`swapTagAndLen="true"`, "TTDecimalTagMapper", "IFA_TTLLCHAR"), "48", "before the tag"},
		{"tag mapper", tagger("", "OurTagMapper", "IFA_TTLLCHAR"), "48", "OurTagMapper has no equal"},
		{"untagged within", tagger("", "TTDecimalTagMapper", "IFA_LLCHAR"), "48.01", "tagSize and lenSize"},
		{"other length within", tagger("", "TTDecimalTagMapper", "IFA_TTLLLCHAR"), "48.01", "tagSize and lenSize"},
	} {
		_, _, err := spec.LoadJPOS([]byte(head + tc.fields + `</isopackager>`))
		e, ok := errors.AsType[*spec.Error](err)
		if !ok || e.Path != tc.path || !strings.Contains(e.Reason, tc.reason) {
			t.Errorf("%s: %v; want field %q and %q", tc.name, err, tc.path, tc.reason)
		}
	}
}

func plain(id string) string {
	return `<isofield id="` + id + `" length="19" name="PAN" class="org.jpos.iso.IFA_LLNUM"/>`
}

func tagger(attr, mapper, class string) string {
	return `<isofieldpackager id="48" length="99" name="x" class="org.jpos.iso.IFA_LLCHAR" packager="org.jpos.iso.packager.GenericTaggedFieldsPackager" tagSize="2" lenSize="2" ` + attr +
		` tagMapper="org.jpos.iso.packager.` + mapper + `"><isofield id="1" length="9" name="x" class="org.jpos.iso.` + class + `"/></isofieldpackager>`
}

// TestJPOSNamesEveryField: a packager with several fields that cannot be mapped
// is refused with all of them.
func TestJPOSNamesEveryField(t *testing.T) {
	_, _, err := spec.LoadJPOS([]byte(head + `
		<isofield id="2" length="19" name="PAN" class="a.B"/>
		<isofield id="3" length="6" name="code" class="org.jpos.iso.IFA_NUMERIC"/>
		<isofield id="4" length="12" name="amount" class="org.jpos.iso.IF_NOP"/></isopackager>`))
	if err == nil || !strings.Contains(err.Error(), "field 2: ") || !strings.Contains(err.Error(), "field 4: ") || strings.Contains(err.Error(), "field 3: ") {
		t.Errorf("%v", err)
	}
}

// TestJPOSNotes: what has no place in a specification is said, not dropped in
// silence.
func TestJPOSNotes(t *testing.T) {
	in := strings.Replace(head, "<isopackager>", `<isopackager headerLength="9">`, 1) + `
		<isofield id="65" length="1" name="extended bitmap" class="org.jpos.iso.IFA_BINARY"/>
		<isofield id="2" length="19" name="PAN" class="org.jpos.iso.IFA_LLNUM"><isofieldvalidator class="x"/></isofield>
		<isofieldpackager id="55" length="999" name="ICC" class="org.jpos.iso.IFA_LLLBINARY" packager="org.jpos.tlv.packager.bertlv.BERTLVBinaryPackager">
		<isofield id="1" length="9" name="x" class="org.jpos.iso.IFA_LLCHAR"/></isofieldpackager></isopackager>`
	s, notes, err := spec.LoadJPOS([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{"header of 9 bytes", "field 65", "validator", "field 55"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note has %q:\n%s", want, all)
		}
	}
	if f := s.Fields[55]; f == nil || f.Type != "Binary" || s.Fields[65] != nil {
		t.Errorf("fields 55 and 65 are %+v, %+v", f, s.Fields[65])
	}
}

// TestHostileXML: nothing is fetched or expanded, and size and depth are bounded.
func TestHostileXML(t *testing.T) {
	bomb := `<!DOCTYPE isopackager [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` +
		`<isopackager><isofield id="0" name="&b;" length="4" class="x"/></isopackager>`
	file := `<!DOCTYPE isopackager [<!ENTITY x SYSTEM "file:///etc/passwd">]><isopackager>&x;</isopackager>`
	for name, in := range map[string]string{
		"entities that grow": bomb, "entity of a file": file, "text": "<isopackager>text</isopackager>",
		"not whole": "<isopackager>", "two elements": "<isopackager/><isopackager/>", "other element": "<project/>", "empty": "",
		"crossed":    "<isopackager><isofield></isopackager></isofield>",
		"deep":       "<isopackager>" + strings.Repeat(`<isofieldpackager id="1">`, 20) + strings.Repeat("</isofieldpackager>", 20) + "</isopackager>",
		"many":       "<isopackager>" + strings.Repeat("<isofield/>", spec.MaxFields+1) + "</isopackager>",
		"large":      strings.Repeat(" ", spec.MaxSize) + "<isopackager/>",
		"attribute":  `<isopackager><isofield id="1" id="2"/></isopackager>`,
		"long value": `<isopackager><isofield name="` + strings.Repeat("x", 5000) + `"/></isopackager>`,
		"encoding":   `<?xml version="1.0" encoding="UTF-16"?><isopackager/>`,
		"no fields":  "<isopackager/>",
	} {
		if s, _, err := spec.LoadJPOS([]byte(in)); err == nil {
			t.Errorf("%s was taken: %+v", name, s)
		}
	}
}

// FuzzLoadJPOS: whatever is taken gives a specification that loads and builds.
func FuzzLoadJPOS(f *testing.F) {
	f.Add(packager(f))
	f.Add([]byte(head + `</isopackager>`))
	f.Add([]byte(head + tagger("", "TTDecimalTagMapper", "IFA_TTLLCHAR") + `</isopackager>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, _, err := spec.LoadJPOS(raw)
		if err != nil {
			return
		}
		out, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Load(out); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

// TestPackedTrack: track 2 two digits to a byte, as jPOS 3 packs it with
// IFB_LLNUM. The library whose JSON form we use cannot read it.
func TestPackedTrack(t *testing.T) {
	for _, tc := range []struct{ pad, in, want string }{
		{"true", "4761739001010010=49122011234500000000", "3704761739001010010D49122011234500000000"},
		{"true", "4761739001010010=4912201123450000000", "364761739001010010D4912201123450000000"},
		{"false", "4761739001010010=49122011234500000000", "374761739001010010D491220112345000000000"},
		{"false", "4761739001010010=4912", "214761739001010010D49120"},
	} {
		s, notes, err := spec.LoadJPOS([]byte(head + `<isofield id="35" length="37" pad="` + tc.pad + `" name="track 2" class="org.jpos.iso.IFB_LLNUM"/></isopackager>`))
		if err != nil || len(notes) != 1 {
			t.Fatal(notes, err)
		}
		p, err := s.Program()
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(hex.EncodeToString([]byte("0200"+"0000000020000000")) + tc.want)
		if err != nil {
			t.Fatal(err)
		}
		m := codec.NewMessage(p)
		if err := m.Unpack(want); err != nil || m.Value(35).Text() != tc.in {
			t.Errorf("%s: %q, %v", tc.want, m.Value(35).Text(), err)
		}
		if n, ok := m.Value(35).Number(); ok {
			t.Errorf("%s is the number %d", tc.want, n)
		}
		for _, value := range []string{tc.in, strings.Replace(tc.in, "=", "D", 1)} {
			m.Reset(p)
			m.SetText(0, "0200")
			m.SetText(35, value)
			if out, err := m.AppendTo(nil); err != nil || !bytes.Equal(out, want) {
				t.Errorf("%s packs to %X, %v; want %X", value, out, err, want)
			}
		}
		for _, bad := range []string{"4761=12=3", "4761;12", "4761E12"} {
			m.Reset(p)
			m.SetText(0, "0200")
			m.SetText(35, bad)
			if m.Err() == nil {
				t.Errorf("%s was taken", bad)
			}
		}
	}
}
