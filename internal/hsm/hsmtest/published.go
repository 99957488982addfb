package hsmtest

import (
	"bytes"
	"testing"

	"tallystick.example/emv/cryptogram"
	"tallystick.example/internal/hsm/api"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/mac"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/iso8583"
)

// publishedAES opens a message whose PIN block and MAC keys are those of the
// supplement to X9.24-3:2017: BDK, key set 1234567890123456, counter 1, PIN 1234,
// PAN 4111111111111111.
func publishedAES(t *testing.T, open Open) {
	const (
		pan         = "4111111111111111"
		pinBlock    = "A912150391AB65A67E52883D81CE2D15"
		requestKey  = "A2DC23DE6FDE0824A2BC321E08E4B8B7"
		responseKey = "DBB463945B286C07CD3AD82EE96FD9C9"
	)
	x := start(t, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(pan), PIN: text("1234"), PVK: x.pvk})
	m := x.aes.build(t, payment{card: plain(pan), block: unhex(t, pinBlock)})
	sum := func(key string) func([]byte) ([8]byte, error) {
		return func(in []byte) (out [8]byte, err error) {
			full, err := mac.CMACAES(unhex(t, key), in)
			copy(out[:], full)
			return out, err
		}
	}
	message, err := iso8583.SealMAC(m, sum(requestKey))
	if err != nil {
		t.Fatal(err)
	}
	o := x.opened(x.aes, message)
	if !o.HasCard || !o.HasPIN || o.Counter != 1 || o.PINCounter != 1 || !bytes.Equal(o.SetID, unhex(t, aesSet)) {
		t.Errorf("opened %+v", o)
	}
	v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true})
	if v.PIN != api.PINRight || !v.ReferenceOK {
		t.Errorf("verdict %+v on the published PIN block", v)
	}
	s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
	if err != nil {
		t.Fatal(err)
	}
	input, got, err := iso8583.MACInput(s.Answer)
	if err != nil {
		t.Fatal(err)
	}
	want, err := sum(responseKey)(input)
	if err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("MAC of the answer %X, want %X, %v", got, want, err)
	}
}

// publishedTDES does the same with X9.24-1:2009, A.4: PIN 1234, PAN
// 4012345678909, counter 1.
func publishedTDES(t *testing.T, open Open) {
	const pan, pinBlock = "4012345678909", "1B9C1845EB993A7A"
	x := start(t, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(pan), PIN: text("1234"), PVK: x.pvk})
	message := x.tdes.message(t, payment{card: plain(pan), block: unhex(t, pinBlock)})
	o := x.opened(x.tdes, message)
	if o.Card.BIN != "401234" || o.Card.LastFour != "8909" || o.Counter != 1 {
		t.Errorf("opened %+v", o)
	}
	if v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, PIN: true}); v.PIN != api.PINRight {
		t.Errorf("verdict %+v on the published PIN block", v)
	}
	s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00")})
	if err != nil {
		t.Fatal(err)
	}
	x.tdes.checkAnswer(t, 1, s.Answer)
}

// The chip data of a Visa CVN 10 transaction with its cryptogram and answer, on
// which two implementations agree.
const (
	chipPAN  = "9999070431572690"
	chipARQC = "BA4FA489B3C7B8AB"
	chipARPC = "82E4D7763371EF45" + "3030"
	chipData = "9F0206487380303407" + "9F0306000000626586" + "9F1A020840" + "950528A5DEF22F" + "5F2A020840" + "9A03261122" +
		"9C0100" + "9F3704F29F5ECD" + "82025800" + "9F3602B72E" + "9F100706010A1FA8CC2C" + "9F2608" + chipARQC
)

func publishedCryptogram(t *testing.T, open Open) {
	x := start(t, open, Options{})
	for _, tm := range []*terminal{x.aes, x.tdes} {
		p := x.personalize(api.Personalize{PAN: text(chipPAN), PSN: "01", Profile: "visa_cvn10"})
		message := tm.message(t, payment{card: plain(chipPAN), chip: unhex(t, chipData)})
		o := x.opened(tm, message)
		if !o.HasCryptogram || o.HasPIN {
			t.Errorf("opened %+v", o)
		}
		_, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00"), ARC: "00"})
		x.want("an ARPC before the cryptogram was verified", err, api.ErrPolicy)
		v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, Cryptogram: true})
		if v.Cryptogram != api.CryptogramRight || v.PIN != api.PINNone {
			t.Errorf("verdict %+v on the right cryptogram", v)
		}
		s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "00"), ARC: "00"})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.IssuerAuthData, unhex(t, chipARPC)) {
			t.Errorf("tag 91 is %X, want %s", s.IssuerAuthData, chipARPC)
		}
		m := tm.checkAnswer(t, 1, s.Answer)
		if want := append([]byte{0x91, 10}, s.IssuerAuthData...); !bytes.Equal(m.Bytes(55), want) {
			t.Errorf("DE 55 of the answer is %X, want %X", m.Bytes(55), want)
		}
		if err := iso8583.Validate(m, iso8583.ToTerminal); err != nil {
			t.Errorf("the answer breaks the message table: %v", err)
		}
	}
}

// chipOf replaces the cryptogram of the chip data by one of another profile.
func chipOf(t *testing.T, profile cryptogram.Profile, iad string) (data []byte, key secret.Secret, ac cryptogram.AC) {
	t.Helper()
	fields, err := cryptogram.FieldsFromDE55(unhex(t, chipData))
	if err != nil {
		t.Fatal(err)
	}
	fields[0x9F10] = unhex(t, iad)
	key, err = cryptogram.CardKey(hidden(unhex(t, testIMK)), cryptogram.Card{PAN: text(chipPAN), PSN: "01"})
	if err != nil {
		t.Fatal(err)
	}
	if ac, err = profile.Generate(key, fields); err != nil {
		t.Fatal(err)
	}
	fields[0x9F26] = ac[:]
	for _, tag := range []uint32{0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36, 0x9F10, 0x9F26} {
		data = ber.Append(data, tag, fields[tag])
	}
	if key, err = profile.ARPCKey(key, fields); err != nil {
		t.Fatal(err)
	}
	return data, key, ac
}

// methodTwo checks that the card accepts the answer and reads the issuer's
// decision from it.
func methodTwo(t *testing.T, open Open) {
	x := start(t, open, Options{})
	for _, c := range []struct {
		profile  cryptogram.Profile
		iad, arc string
		approved bool
	}{
		{cryptogram.VisaCVN18, "060112D1D74141", "00", true},
		{cryptogram.VisaCVN18, "060112D1D74141", "05", false},
		{cryptogram.VisaCVN22, "1F220100D4714FCCB209EAB3C7D3FFAF0301D8B986201949B53F3FA6BA1D6813", "00", true},
		{cryptogram.MChipCVN16, "0110C96905A6190300005D81FB26E7DBA2D1", "00", true},
	} {
		data, key, ac := chipOf(t, c.profile, c.iad)
		p := x.personalize(api.Personalize{PAN: text(chipPAN), PSN: "01", Profile: string(c.profile)})
		message := x.aes.message(t, payment{card: plain(chipPAN), chip: data})
		o := x.opened(x.aes, message)
		if v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, Cryptogram: true}); v.Cryptogram != api.CryptogramRight {
			t.Errorf("%s: verdict %+v", c.profile, v)
		}
		s, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, c.arc), ARC: c.arc})
		if err != nil {
			t.Fatal(err)
		}
		auth, err := cryptogram.VerifyIssuerAuth(key, ac, c.profile.ARPCMethod(), s.IssuerAuthData)
		if err != nil {
			t.Fatalf("%s: the card refuses its issuer: %v", c.profile, err)
		}
		if c.profile.ARPCMethod() == 2 && (auth.CSU[1]&0x80 != 0) != c.approved {
			t.Errorf("%s: status update %X for %s", c.profile, auth.CSU, c.arc)
		}
		if c.profile.ARPCMethod() == 1 && string(auth.ARC) != c.arc {
			t.Errorf("%s: ARC %q", c.profile, auth.ARC)
		}
	}
}

// wrongCryptogram changes what the card signed.
func wrongCryptogram(t *testing.T, open Open) {
	x := start(t, open, Options{})
	p := x.personalize(api.Personalize{PAN: text(chipPAN), PSN: "01", Profile: "visa_cvn10"})
	for name, data := range map[string][]byte{
		"another amount":     bytes.Replace(unhex(t, chipData), unhex(t, "487380303407"), unhex(t, "487380303408"), 1),
		"another cryptogram": bytes.Replace(unhex(t, chipData), unhex(t, chipARQC), unhex(t, "BA4FA489B3C7B8AC"), 1),
		"a missing object":   bytes.Replace(unhex(t, chipData), unhex(t, "9F1A020840"), nil, 1),
	} {
		message := x.aes.message(t, payment{card: plain(chipPAN), chip: data})
		o := x.opened(x.aes, message)
		v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: p.Reference, Cryptogram: true})
		if v.Cryptogram != api.CryptogramWrong {
			t.Errorf("%s: verdict %+v", name, v)
		}
		_, err := x.hsm.Seal(t.Context(), api.SealRequest{Handle: o.Handle, Answer: answer(t, message, "05"), ARC: "05"})
		x.want(name+": an ARPC for a wrong cryptogram", err, api.ErrPolicy)
	}
	other := x.personalize(api.Personalize{PAN: text(chipPAN), PSN: "02", Profile: "visa_cvn10"})
	o := x.opened(x.aes, x.aes.message(t, payment{card: plain(chipPAN), chip: unhex(t, chipData)}))
	if v := x.verify(api.VerifyRequest{Handle: o.Handle, Reference: other.Reference, Cryptogram: true}); v.Cryptogram != api.CryptogramWrong {
		t.Errorf("another card of the account: verdict %+v", v)
	}
}
