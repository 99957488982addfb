package params

import (
	"fmt"
	"strings"
	"testing"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/internal/conf"
	"tallystick.example/testvectors/vectortest"
)

// publicKeys are published CA keys in the form of the configuration.
func publicKeys(t *testing.T) []CAKey {
	t.Helper()
	var out []CAKey
	for _, v := range vectortest.Load(t, "emv_capk", "emv.capk.check") {
		if e := v.Text("exponent"); v.Out.Bool("valid") && (e == "03" || e == "010001") && len(v.Text("modulus")) <= 2*248 {
			out = append(out, CAKey{RID: v.Text("rid"), Index: v.Text("index"), Modulus: v.Text("modulus"), Exponent: e,
				Checksum: v.Text("checksum"), Expires: "2031-12-31", Test: true})
		}
	}
	return out[:3]
}

func withKeys(t *testing.T) *Config {
	t.Helper()
	c, err := Load(sample, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.CAKeys = publicKeys(t)
	c.Revoked = []Revocation{{RID: c.CAKeys[0].RID, Index: c.CAKeys[0].Index, Serial: "000001"}}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	return c
}

// The sample's commented key is read as it stands there, once it is filled in.
func TestSampleKeyIsAnExample(t *testing.T) {
	k := publicKeys(t)[0]
	_, example, _ := strings.Cut(sampleText(t), "ca_keys: []\n")
	example, _, _ = strings.Cut(example, "\n\n")
	example = "ca_keys:\n" + strings.ReplaceAll("\n"+example, "\n#", "\n")[1:]
	example = strings.NewReplacer("rid: A000000003", "rid: "+k.RID, `index: "92"`, fmt.Sprintf("index: %q", k.Index), "(64 to 248 bytes in hexadecimal)", fmt.Sprintf("%q", k.Modulus),
		"(20 bytes in hexadecimal)", fmt.Sprintf("%q", k.Checksum), `exponent: "03"`, fmt.Sprintf("exponent: %q", k.Exponent)).Replace(example)
	c, err := Load(write(t, strings.Replace(sampleText(t), "ca_keys: []\n", example+"\n", 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.CAKeys) != 1 || c.CAKeys[0] != k {
		t.Errorf("%+v", c.CAKeys)
	}
}

func TestKeysReachTheKernel(t *testing.T) {
	c := withKeys(t)
	c.Terminal.CDAMode = 3
	a := &c.Applications[0]
	a.FloorLimit, a.RandomThreshold, a.RandomTarget, a.RandomMax = 5000, 1000, 10, 50
	a.Without = []string{"sda", "plaintext_pin", "enciphered_pin", "tdol"}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	k, err := c.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	// A key that was loaded is found; what comes after it is not there.
	_, err = k.CAKeys.Issuer(oda.IssuerInput{AID: unhex(c.CAKeys[0].RID), Index: unhex(c.CAKeys[0].Index)[0], Date: emv.Day{Year: 2026, Month: 1, Day: 1}})
	if err == nil || !strings.Contains(err.Error(), "issuer_certificate") {
		t.Errorf("with a CA key and no certificate: %v", err)
	}
	got := k.Applications[0]
	if k.CDAMode != 3 || !got.WithoutSDA || !got.WithoutPlaintextPIN || !got.WithoutEncipheredPIN || !got.WithoutTDOL ||
		got.RandomThreshold != 1000 || got.RandomTarget != 10 || got.RandomMax != 50 {
		t.Errorf("%+v", got)
	}
	c.CAKeys = nil
	if k, err = c.Kernel(); err != nil || k.CAKeys != nil {
		t.Errorf("without keys: %v, %v", k.CAKeys, err)
	}
	plain, err := Load(sample, nil)
	if err != nil {
		t.Fatal(err)
	}
	if k, err = plain.Kernel(); err != nil || k.CDAMode != 1 || k.Applications[0].WithoutSDA || k.Applications[0].TAC.Denial == nil {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestKeysAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"ca_keys[1].checksum: oda: CA key": func(c *Config) { c.CAKeys[1].Checksum = strings.Repeat("0", 40) },
		"ca_keys[0].modulus":               func(c *Config) { c.CAKeys[0].Modulus = "ABCD" },
		"ca_keys[2].expires":               func(c *Config) { c.CAKeys[2].Expires = "31.12.2031" },
		"ca_keys[0].rid":                   func(c *Config) { c.CAKeys[0].RID = "A0000000" },
		"the check sum is wrong":           func(c *Config) { c.CAKeys[0].Exponent = "05" },
		"revoked[0].serial":                func(c *Config) { c.Revoked[0].Serial = "1" },
		"revoked[0].rid":                   func(c *Config) { c.Revoked[0].RID = "" },
		"terminal.cda_mode":                func(c *Config) { c.Terminal.CDAMode = 0 },
		"applications[0].without":          func(c *Config) { c.Applications[0].Without = []string{"dda"} },
		"applications[0].random_threshold": func(c *Config) { c.Applications[0].RandomThreshold = 1 },
		"applications[0].random_target":    func(c *Config) { c.Applications[0].RandomTarget = 1 },
		"lab mode only":                    func(c *Config) { c.Mode = conf.Production },
	} {
		c := withKeys(t)
		change(c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that names %s", err, want)
		}
	}
	c := withKeys(t)
	c.CAKeys = append(c.CAKeys, c.CAKeys[0])
	if _, err := c.Kernel(); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a key that is there twice: %v", err)
	}
}
