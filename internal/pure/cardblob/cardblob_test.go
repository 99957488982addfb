package cardblob_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"tallystick.example/internal/pure/cardblob"
	"tallystick.example/internal/pure/secret"
)

func text(s string) secret.Secret { return secret.New([]byte(s)) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBuildAndParse(t *testing.T) {
	track := secret.New(unhex(t, "4929000000000006D29122011234567890"))
	for _, c := range []struct {
		name  string
		card  cardblob.Card
		block int
		want  string
	}{
		{"stored, AES", cardblob.Card{PAN: text("4929000000000006"), Expiry: "2912", PSN: "01"}, 16,
			"5A0849290000000000065F24032912315F340101800000000000000000000000"},
		{"keyed, TDES, odd PAN", cardblob.Card{PAN: text("492900000000000"), Expiry: "290228", CVV2: text("123")}, 8,
			"5A08492900000000000F5F2403290228DF01033132338000"},
		{"chip", cardblob.Card{Track2: track, PSN: "00"}, 8, "57114929000000000006D291220112345678905F34010080"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.card.Build(c.block)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Expose(); !bytes.Equal(got, unhex(t, c.want)) {
				t.Errorf("built %X, want %s", got, c.want)
			}
			back, err := cardblob.Parse(b.Expose())
			if err != nil {
				t.Fatal(err)
			}
			if back.PSN != c.card.PSN || back.Expiry != expiry(c.card) || !back.CVV2.Equal(c.card.CVV2) || back.PAN.IsZero() {
				t.Errorf("parsed PSN %s, expiry %s", back.PSN, back.Expiry)
			}
		})
	}
}

func expiry(c cardblob.Card) string {
	if c.Expiry == "" {
		return "2912"
	}
	return c.Expiry[:4]
}

func TestTrack2(t *testing.T) {
	v, err := cardblob.PackTrack2([]byte("4929000000000006=29122011234"))
	if err != nil || !bytes.Equal(v.Expose(), unhex(t, "4929000000000006D29122011234")) {
		t.Fatalf("packed %X, %v", v.Expose(), err)
	}
	tr, ok := cardblob.ParseTrack2(v)
	if !ok || string(tr.PAN.Expose()) != "4929000000000006" || tr.Expiry != "2912" || tr.ServiceCode != "201" ||
		string(tr.Discretionary.Expose()) != "1234" {
		t.Errorf("parsed %v, %+v", ok, tr)
	}
	odd, err := cardblob.PackTrack2([]byte("49290000000000061D29122010"))
	if err != nil || !bytes.Equal(odd.Expose(), unhex(t, "49290000000000061D29122010")) {
		t.Fatalf("packed %X, %v", odd.Expose(), err)
	}
	if _, err := cardblob.PackTrack2([]byte("4929^2912")); !errors.Is(err, cardblob.ErrMalformed) {
		t.Errorf("track 1: %v", err)
	}
}

func TestMalformed(t *testing.T) {
	const pan, exp = "5A084929000000000006", "5F2403291231"
	for name, in := range map[string]string{
		"empty":                "",
		"no padding":           pan + exp,
		"no content":           "80",
		"padding of 17 bytes":  pan + exp + "80" + "00000000000000000000000000000000",
		"garbage in padding":   pan + exp + "8001",
		"no PAN":               exp + "80",
		"no expiry":            pan + "80",
		"PAN twice":            pan + pan + exp + "80",
		"another tag":          pan + exp + "9F36020001" + "80",
		"letters in the PAN":   "5A0849290000000000A6" + exp + "80",
		"long PAN":             "5A0B4929000000000000000006" + exp + "80",
		"month 13":             pan + "5F2403291331" + "80",
		"short PSN":            pan + exp + "5F3400" + "80",
		"CVV2 of two":          pan + exp + "DF01023132" + "80",
		"CVV2 letters":         pan + exp + "DF0103313241" + "80",
		"two different PANs":   "57114929000000000006D29122011234567890" + "5A084929000000000014" + "80",
		"two different dates":  "57114929000000000006D29122011234567890" + "5F2403301231" + "80",
		"track without D":      "570849290000000000062912" + "80",
		"track without code":   "570B4929000000000006D2912F" + "80",
		"track with E":         "570C4929000000000006D2912E01" + "80",
		"cut TLV":              "5A0949290000000000068000",
		"template":             "7000" + pan + exp + "80",
		"more than the limit":  pan + exp + "80" + hex.EncodeToString(make([]byte, 200)),
		"empty track":          "5700" + "80",
		"track, then a letter": "570C4929000000000006D291220A" + "80",
	} {
		c, err := cardblob.Parse(unhex(t, in))
		if !errors.Is(err, cardblob.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.PAN.IsZero() {
			t.Errorf("%s: a PAN comes with the error", name)
		}
	}
	for name, c := range map[string]cardblob.Card{
		"letters":    {PAN: text("49290000000000AB"), Expiry: "2912"},
		"short":      {PAN: text("4929"), Expiry: "2912"},
		"expiry":     {PAN: text("4929000000000006"), Expiry: "2913"},
		"PSN":        {PAN: text("4929000000000006"), Expiry: "2912", PSN: "1"},
		"CVV2":       {PAN: text("4929000000000006"), Expiry: "2912", CVV2: text("12345")},
		"long track": {Track2: secret.New(make([]byte, 180))},
	} {
		if _, err := c.Build(16); !errors.Is(err, cardblob.ErrMalformed) {
			t.Errorf("building with bad %s: %v", name, err)
		}
	}
	if _, err := (cardblob.Card{}).Build(7); err == nil {
		t.Error("blocks of 7 bytes")
	}
}

// FuzzParse: no panic, and what was accepted can be built and read again.
func FuzzParse(f *testing.F) {
	f.Add(unhex(f, "5A0849290000000000065F24032912315F34010180000000"))
	f.Add(unhex(f, "57114929000000000006D29122011234567890DF0103313233"+"80"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := cardblob.Parse(in)
		if err != nil {
			return
		}
		b, err := c.Build(16)
		if err != nil {
			t.Fatalf("%X was read and cannot be built: %v", in, err)
		}
		again, err := cardblob.Parse(b.Expose())
		if err != nil || !again.PAN.Equal(c.PAN) || again.Expiry != c.Expiry || again.PSN != c.PSN || !again.CVV2.Equal(c.CVV2) {
			t.Fatalf("%X changed on the way: %v", in, err)
		}
	})
}
