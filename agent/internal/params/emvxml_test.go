package params

import (
	"fmt"
	"strings"
	"testing"
)

// form is a file of the EMV XML form with a published test key.
func form(t testing.TB, change ...string) string {
	k := firstKey(t)
	return strings.NewReplacer(change...).Replace(fmt.Sprintf(`<?xml version='1.0' encoding='UTF-8'?>
<emv>
  <!-- general -->
  <data>
    <tlv id='9F01'>000123456789</tlv>
    <tlv id='9F15'>5999</tlv>
    <tlv id='9F1A'>0528</tlv>
    <tlv id='9F1B'>00002710</tlv>
    <tlv id='9F1C'>"TID12345"</tlv>
    <tlv id='9F1E'>"12345678"</tlv>
    <tlv id='9F33'>20F8C8</tlv>
    <tlv id='9F35'>22</tlv>
    <tlv id='9F40'>FA00F0A3FF</tlv>
    <tlv id='9f49'>9f 37 04</tlv>
    <obj oid='2.5.4.87'>"example.com"</obj>
  </data>
  <app aid='a0000000031010' match='partial'>
    <data><tlv id='9F09'>012C</tlv></data>
    <random_selection_percentage>25</random_selection_percentage>
    <random_selection_max_percentage>50</random_selection_max_percentage>
    <random_selection_threshold>5000</random_selection_threshold>
  </app>
  <app aid='A0000000032010' match='exact'>
    <data><tlv id='9F09'>012C</tlv><tlv id='9F1B'>00000000</tlv><tlv id='DF01'>00</tlv></data>
  </app>
  <capk rid='%s' index='%s' hash_id='01'>
    <modulus>
      %s
      %s
    </modulus>
    <exponent>%s</exponent>
    <hash>%s</hash>
  </capk>
</emv>
`, k.RID, k.Index, k.Modulus[:32], k.Modulus[32:], k.Exponent, k.Checksum))
}

func firstKey(t testing.TB) CAKey {
	t.Helper()
	tt, ok := t.(*testing.T)
	if !ok {
		return CAKey{RID: "A000000003", Index: "01", Modulus: strings.Repeat("AB", 80), Exponent: "03", Checksum: strings.Repeat("00", 20)}
	}
	return publicKeys(tt)[0]
}

// What is imported is a configuration that loads, and its values are those of the
// form.
func TestImportEMV(t *testing.T) {
	im, err := ImportEMV(strings.NewReader(form(t)), "2031-12-31", true)
	if err != nil {
		t.Fatal(err)
	}
	if len(im.CAKeys) != 1 || im.CAKeys[0] != publicKeys(t)[0] {
		t.Errorf("CA keys %+v", im.CAKeys)
	}
	visa, electron := im.Applications[0], im.Applications[1]
	if visa.AID != "A0000000031010" || !visa.Partial || visa.Version != "012C" || visa.FloorLimit != 10000 || visa.DDOL != "9F3704" ||
		visa.RandomTarget != 25 || visa.RandomMax != 50 || visa.RandomThreshold != 5000 || electron.Partial || electron.FloorLimit != 0 {
		t.Errorf("%+v, %+v", visa, electron)
	}
	if got := fmt.Sprint(im.PassedOver); got != "[tag 9F1C object 2.5.4.87 tag DF01 of application A0000000032010]" {
		t.Errorf("passed over %s", got)
	}
	// The keys that the sample has are replaced by those of the import.
	sample, yaml := sampleText(t), im.YAML()
	applications, rest, _ := strings.Cut(yaml, "ca_keys:\n")
	_, applications, _ = strings.Cut(applications, "applications:\n")
	before, _, _ := strings.Cut(sample, "applications:\n")
	_, after, _ := strings.Cut(sample, "revoked: []\n")
	text := before + "applications:\n" + applications + "ca_keys:\n" + rest + "revoked: []\n" + after
	for _, kv := range im.Terminal {
		lines := strings.Split(text, "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "  "+kv[0]+":") {
				lines[i] = "  " + kv[0] + ": " + kv[1]
			}
		}
		text = strings.Join(lines, "\n")
	}
	c, err := Load(write(t, text), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, yaml)
	}
	if c.Terminal.Type != "22" || c.Terminal.Capabilities != "20F8C8" || c.Terminal.Country != 528 || c.Terminal.Serial != "12345678" ||
		c.Terminal.Acquirer != "123456789" || c.Terminal.MCC != 5999 || c.Applications[0].FloorLimit != 10000 || len(c.CAKeys) != 1 {
		t.Errorf("%+v", c.Terminal)
	}
	if _, err := c.Kernel(); err != nil {
		t.Error(err)
	}
}

func TestImportEMVRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"no XML":             {"<emv>", "<emv"},
		"another root":       {"emv>", "config>"},
		"unknown element":    {"<data>", "<tac>00</tac><data>"},
		"element in an app":  {"<random_selection_threshold>5000</random_selection_threshold>", "<tac/>"},
		"no hexadecimal":     {"20F8C8", "20F8C"},
		"empty value":        {"20F8C8", ""},
		"match":              {"match='exact'", "match='some'"},
		"AID":                {"aid='A0000000032010'", "aid='xyz'"},
		"floor limit":        {"00002710", "0000271000000000"},
		"percentage":         {">25<", ">many<"},
		"check sum":          {"<hash>", "<hash>00"},
		"wrong check sum":    {firstKey(t).Checksum, strings.Repeat("00", 20)},
		"another hash":       {"hash_id='01'", "hash_id='02'"},
		"exponent":           {"<exponent>03", "<exponent>05"},
		"something in a key": {"<exponent>", "<note/><exponent>"},
	} {
		text := form(t, change[0], change[1])
		if text == form(t) {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := ImportEMV(strings.NewReader(text), "2031-12-31", true); err == nil {
			t.Errorf("%s: imported", name)
		}
	}
	if _, err := ImportEMV(strings.NewReader(form(t)), "31.12.2031", true); err == nil {
		t.Error("an expiry that is no date was taken")
	}
	if _, err := ImportEMV(strings.NewReader(strings.Repeat(" ", maxEMVXML+1)), "2031-12-31", true); err == nil {
		t.Error("a file of more than 1 MiB was read")
	}
}

func FuzzImportEMV(f *testing.F) {
	f.Add(form(f))
	f.Add("<emv><app aid='A0000000031010' match='exact'/></emv>")
	f.Fuzz(func(t *testing.T, text string) {
		im, err := ImportEMV(strings.NewReader(text), "2031-12-31", true)
		if err == nil && strings.Contains(im.YAML(), "\x00") {
			t.Error("the YAML holds a zero byte")
		}
	})
}
