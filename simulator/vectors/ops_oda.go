package vectors

import (
	"errors"
	"fmt"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
	"tallystick.example/emv/oda/issue"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
	"tallystick.example/testvectors"
)

// odaOps are offline data authentication and the keys that it stands on.
func odaOps() map[string]Op {
	return map[string]Op{
		"emv.capk.checksum":          capkChecksum,
		"emv.capk.check":             capkCheck,
		"emv.oda.verify":             odaVerify,
		"emv.oda.icc_certificate":    odaICCCertificate,
		"emv.oda.issuer_certificate": odaIssuerCertificate,
		"emv.oda.dynamic_signature":  odaDynamicSignature,
		"emv.rsa.sign":               rsaSign,
	}
}

func caKey(in Input) (oda.CAKey, error) {
	rid, index := in.Hex("rid"), in.Hex("index")
	if len(rid) != 5 || len(index) != 1 {
		return oda.CAKey{}, errors.New("a RID has 5 bytes and an index one")
	}
	return oda.CAKey{RID: [5]byte(rid), Index: index[0], Modulus: in.Hex("modulus"), Exponent: in.Hex("exponent")}, nil
}

func capkChecksum(in Input) (map[string]any, error) {
	k, err := caKey(in)
	if err != nil {
		return nil, err
	}
	sum := k.Sum()
	return map[string]any{"checksum": sum[:]}, nil
}

// capkCheck asks for the check sum alone: the vectors hold withdrawn keys that
// the rules for loading would refuse anyway.
func capkCheck(in Input) (map[string]any, error) {
	k, err := caKey(in)
	if err != nil {
		return nil, err
	}
	sum := k.Sum()
	return map[string]any{"valid": testvectors.Hex(sum[:]) == testvectors.Hex(in.Hex("checksum"))}, nil
}

// A chain collects what a verification found.
type chain struct {
	in     Input
	tags   map[string][]byte
	pan    secret.Secret
	out    map[string]any
	issuer *oda.IssuerKey
	icc    *oda.ICCKey
}

// optional is an input that a case which fails early may leave out.
func optional(in Input, key string) []byte {
	if !in.Has(key) {
		return nil
	}
	return in.Hex(key)
}

func newChain(in Input) *chain {
	c := &chain{in: in, tags: in.Tags("tags"), out: map[string]any{"ok": true}}
	if in.Has("pan") {
		c.pan = secret.New([]byte(in.Digits("pan")))
	}
	return c
}

// result says which step failed, or what was found.
func (c *chain) result(err error) (map[string]any, error) {
	c.pan.Wipe()
	if err == nil {
		return c.out, nil
	}
	e, ok := errors.AsType[*oda.Error](err)
	if !ok {
		return nil, err
	}
	return map[string]any{"ok": false, "failed": string(e.Step)}, nil
}

// openIssuer recovers the issuer's key.
func (c *chain) openIssuer() error {
	k, err := caKey(c.in.Object("capk"))
	if err != nil {
		return err
	}
	ca, ok := oda.NewPublicKey(k.Modulus, k.Exponent)
	if !ok { // with such a key no certificate can be opened
		return &oda.Error{Step: oda.StepIssuer, Clause: "B2 6.2", Check: "the CA key is none"}
	}
	if c.issuer, err = oda.RecoverIssuer(ca, c.tags["90"], c.tags["92"], c.tags["9F32"]); err != nil {
		return err
	}
	id, expiry := c.issuer.ID(), c.issuer.Expiry()
	c.out["issuer_modulus"], c.out["issuer_id"] = c.issuer.Modulus(), id[:]
	c.out["issuer_expiry"] = fmt.Sprintf("%X", expiry[:])
	if c.pan.IsZero() {
		return nil
	}
	return c.issuer.Belongs(c.pan)
}

// openICC recovers the card's key.
func (c *chain) openICC() error {
	var err error
	c.icc, err = oda.RecoverICC(c.issuer.PublicKey, c.tags["9F46"], c.tags["9F48"], c.tags["9F47"], optional(c.in, "static_data"))
	if err != nil {
		return err
	}
	pan, expiry := c.icc.PAN(), c.icc.Expiry()
	defer pan.Wipe()
	c.out["icc_modulus"], c.out["icc_pan"] = c.icc.Modulus(), string(pan.Expose())
	c.out["icc_expiry"] = fmt.Sprintf("%X", expiry[:])
	if c.pan.IsZero() {
		return nil
	}
	return c.icc.Belongs(c.pan)
}

func odaICCCertificate(in Input) (map[string]any, error) {
	c := newChain(in)
	err := c.openIssuer()
	if err == nil {
		err = c.openICC()
	}
	return c.result(err)
}

func odaVerify(in Input) (map[string]any, error) {
	c := newChain(in)
	methods := map[string]func() error{"sda": c.static, "dda": c.dynamic, "cda": c.combined}
	method, ok := methods[in.Text("method")]
	if !ok {
		return nil, fmt.Errorf("no method %q", in.Text("method"))
	}
	err := c.openIssuer()
	if err == nil {
		err = method()
	}
	return c.result(err)
}

func (c *chain) static() error {
	code, err := c.issuer.VerifyStatic(c.tags["93"], optional(c.in, "static_data"))
	c.out["dac"] = code
	return err
}

func (c *chain) dynamic() error {
	if err := c.openICC(); err != nil {
		return err
	}
	number, err := c.icc.VerifyDynamic(optional(c.in, "signature"), optional(c.in, "terminal_data"))
	c.out["icc_dynamic_number"] = number
	return err
}

func (c *chain) combined() error {
	if err := c.openICC(); err != nil {
		return err
	}
	signed := oda.Combined{
		Signature: optional(c.in, "signature"), Unpredictable: optional(c.in, "un"),
		Data:     [][]byte{optional(c.in, "pdol_values"), optional(c.in, "cdol_values")},
		Response: optional(c.in, "response"),
	}
	var err error
	if signed.CID, err = answeredCID(signed.Response); err != nil {
		return err
	}
	p, err := c.icc.VerifyCombined(signed)
	if err != nil {
		return err
	}
	c.out["icc_dynamic_number"], c.out["cid"] = p.Number, []byte{byte(p.CID)}
	c.out["ac"], c.out["transaction_data_hash"] = p.Cryptogram, p.Hash
	return nil
}

// answeredCID is the tag 9F27 of an answer; without one the signature cannot be
// that of the answer.
func answeredCID(response []byte) (emv.CID, error) {
	nodes, err := ber.Parse(response, ber.Limits{})
	if n, ok := ber.Find(nodes, uint32(emv.TagCID)); err == nil && ok && len(n.Value) == 1 {
		return emv.CID(n.Value[0]), nil
	}
	return 0, &oda.Error{Step: oda.StepDynamic, Clause: "B2 6.6.2 step 6", Check: "the answer has no CID"}
}

func odaIssuerCertificate(in Input) (map[string]any, error) {
	c := &chain{in: in, out: map[string]any{}, tags: map[string][]byte{
		"90": in.Hex("certificate"), "92": in.Hex("remainder"), "9F32": in.Hex("exponent"),
	}}
	if err := c.openIssuer(); err != nil {
		return nil, err
	}
	if !in.Has("date") {
		return c.out, nil
	}
	day, err := emv.ParseDay(in.Hex("date"))
	if err != nil {
		return nil, err
	}
	return c.out, c.issuer.ValidOn(day)
}

func odaDynamicSignature(in Input) (map[string]any, error) {
	key, ok := oda.NewPublicKey(in.Hex("icc_modulus"), in.Hex("icc_exponent"))
	if !ok {
		return nil, errors.New("no such key")
	}
	dynamic, err := key.RecoverDynamic(in.Hex("signature"), in.Hex("terminal_data"))
	return map[string]any{"icc_dynamic_data": dynamic}, err
}

func rsaSign(in Input) (map[string]any, error) {
	private, err := hexNumber(in, "private_exponent")
	if err != nil {
		return nil, err
	}
	signature, err := issue.Sign(in.Hex("modulus"), private, in.Hex("message"))
	return map[string]any{"signature": signature}, err
}

// hexNumber is a number in hexadecimal, which may be written without the leading
// zero that would make its digits even.
func hexNumber(in Input, key string) ([]byte, error) {
	text := in.Text(key)
	if len(text)%2 == 1 {
		text = "0" + text
	}
	return testvectors.ParseHex(text)
}
