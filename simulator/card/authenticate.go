package card

import (
	"fmt"
	"io"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/emv/transport"
	"tallystick.example/internal/pure/ber"
)

// certificatesSFI is the file of certificates and static signature.
const certificatesSFI = 3

// maxCombined is the longest key of a card whose combined signature fits into an
// answer beside CID, ATC and Issuer Application Data (EMV Book 2, Annex D1).
const maxCombined = 205

// layCertificates personalizes the RSA part (EMV Book 2, 5.1, 6.1, 7.1): the
// records of file 2 and the AIP are what the issuer signs.
func (a *app) layCertificates(wrong bool) error {
	o := &a.profile.ODA
	if len(o.Methods) == 0 {
		return nil
	}
	var err error
	if a.rsa, err = o.resolve(); err != nil {
		return err
	}
	if o.offers("cda") && a.rsa.icc.Size() > maxCombined {
		return fmt.Errorf("a card's key of %d bytes is too long for combined signatures, at most %d fit an answer", a.rsa.icc.Size(), maxCombined)
	}
	var static []byte
	for n := byte(1); n <= 3; n++ {
		nodes, err := ber.Parse(a.records[recordKey{2, n}], ber.Limits{})
		if err != nil {
			return fmt.Errorf("record %d of file 2: %w", n, err)
		}
		static = append(static, nodes[0].Value...)
	}
	static = append(static, a.aip...)
	expiry := unhex(o.Expiry)
	mmyy := [2]byte{expiry[1], expiry[0]}
	issuer, err := issue.Issuer(a.rsa.ca, a.rsa.issuer, issue.Terms{Holder: a.profile.PAN[:8], Expiry: mmyy, Serial: [3]byte(unhex(o.Serial))})
	if err != nil {
		return err
	}
	if wrong {
		issuer.Certificate[len(issuer.Certificate)/2] ^= 0x01
	}
	small := []object{{emv.TagCAIndex, unhex(o.Index)}, {emv.TagIssuerExponent, issuer.Exponent}}
	small = append(small, remainder(emv.TagIssuerRemainder, issuer)...)
	large := []object{{emv.TagIssuerCertificate, issuer.Certificate}}
	if o.offers("sda") {
		ssad, err := issue.Static(a.rsa.issuer, [2]byte(unhex(o.DAC)), static)
		if err != nil {
			return err
		}
		large = append(large, object{emv.TagSignedStatic, ssad})
	}
	terms := issue.Terms{Holder: a.profile.PAN, Expiry: mmyy}
	icc, err := issue.ICC(a.rsa.issuer, a.rsa.icc, terms, static)
	if err != nil {
		return err
	}
	small = append(small, object{emv.TagICCExponent, icc.Exponent}, object{emv.TagDDOL, unhex(o.DDOL)})
	small = append(small, remainder(emv.TagICCRemainder, icc)...)
	large = append(large, object{emv.TagICCCertificate, icc.Certificate})
	if a.rsa.pin != nil {
		pin, err := issue.PINKey(a.rsa.issuer, a.rsa.pin, terms)
		if err != nil {
			return err
		}
		small = append(small, object{emv.TagPINExponent, pin.Exponent})
		small = append(small, remainder(emv.TagPINRemainder, pin)...)
		large = append(large, object{emv.TagPINCertificate, pin.Certificate})
	}
	a.lay(certificatesSFI, 1, small)
	for i, o := range large { // each fills a record: 248 bytes and their tags
		a.lay(certificatesSFI, byte(2+i), []object{o})
	}
	a.afl[7] = 3 // the three records of file 2 are signed
	a.afl = append(a.afl, certificatesSFI<<3, 1, byte(1+len(large)), 0)
	return nil
}

// remainder is the part of a key that its certificate had no room for.
func remainder(tag emv.Tag, c issue.Certificate) []object {
	if len(c.Remainder) == 0 {
		return nil
	}
	return []object{{tag, c.Remainder}}
}

// internalAuthenticate is INTERNAL AUTHENTICATE (EMV Book 3, 6.5.9; Book 2, 6.5):
// the card signs a fresh number and what the DDOL asks for.
func (c *Card) internalAuthenticate(cmd transport.Command) (transport.Response, error) {
	a := c.selected
	switch {
	case a == nil || !c.tx.open || !a.profile.ODA.offers("dda"):
		return refuse(swConditions)
	case cmd.P1 != 0 || cmd.P2 != 0:
		return refuse(swP1P2)
	}
	list, err := emv.ParseDOL(unhex(a.profile.ODA.DDOL))
	if err != nil {
		return transport.Response{}, fmt.Errorf("%w: %w", ErrMute, err)
	}
	// A terminal may use its default DDOL only when the card has none: this has one.
	if len(cmd.Data) != list.Len() {
		return refuse(swLength)
	}
	number, err := c.dynamicNumber()
	if err != nil {
		return transport.Response{}, err
	}
	sdad, err := issue.Dynamic(a.rsa.icc, number, cmd.Data)
	if err != nil {
		return transport.Response{}, fmt.Errorf("%w: signing: %w", ErrMute, err)
	}
	c.spoil(sdad)
	c.tx.dynamic = true
	if a.profile.Template == 1 {
		return answer(ber.Append(nil, uint32(emv.TagResponse1), sdad))
	}
	return answer(ber.Append(nil, uint32(emv.TagResponse2), ber.Append(nil, uint32(emv.TagSignedDynamic), sdad)))
}

// dynamicNumber is a fresh ICC Dynamic Number of 8 bytes (tag 9F4C).
func (c *Card) dynamicNumber() ([]byte, error) {
	number := make([]byte, 8)
	if _, err := io.ReadFull(c.random, number); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMute, err)
	}
	return number, nil
}

// spoil makes a signature wrong where the profile asks for it.
func (c *Card) spoil(signature []byte) {
	if c.profile.Faults.WrongSignature {
		signature[len(signature)/2] ^= 0x01
	}
}

// combinedResponse is an answer to GENERATE AC with a combined signature (EMV
// Book 2, 6.6): always of format 2, the cryptogram inside the signature alone.
func (c *Card) combinedResponse(kind byte, ac [8]byte, unsigned []byte) ([]byte, error) {
	number, err := c.dynamicNumber()
	if err != nil {
		return nil, err
	}
	sdad, err := issue.Combined(c.selected.rsa.icc, number, ac, oda.Combined{
		Unpredictable: c.tx.fields[uint32(emv.TagUnpredictable)], CID: emv.CID(kind), Data: c.tx.signed, Response: unsigned,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: signing: %w", ErrMute, err)
	}
	c.spoil(sdad)
	return ber.Append(nil, uint32(emv.TagResponse2), ber.Append(unsigned, uint32(emv.TagSignedDynamic), sdad)), nil
}
