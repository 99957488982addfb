package oda

import (
	"bytes"
	"crypto/sha1" // the hash that the standard prescribes (B2 6.6.1)

	"tallystick.example/emv"
)

// formatDynamic marks Signed Dynamic Application Data (B2 tables 17 and 22).
const formatDynamic = 0x05

// RecoverDynamic checks Signed Dynamic Application Data, tag 9F4B, over the
// terminal's dynamic data and returns the ICC Dynamic Data in it (B2 6.5.2, and
// the same steps of 6.6.2). The error is an [*Error] of StepDynamic.
func (k PublicKey) RecoverDynamic(signature, terminalData []byte) (dynamic []byte, err error) {
	s, dynamic, err := k.openDynamic(signature)
	if err == nil && !s.hashes(terminalData) {
		err = fails(StepDynamic, "B2 6.5.2 step 7", "the hash differs")
	}
	if err != nil {
		return nil, err
	}
	return dynamic, nil
}

// openDynamic takes the ICC Dynamic Data out of a signature whose hash has not
// been looked at yet.
func (k PublicKey) openDynamic(signature []byte) (signed, []byte, error) {
	s, err := k.recover(signature, formatDynamic, StepDynamic, "B2 6.5.2")
	if err != nil {
		return nil, nil, err
	}
	body := s.content()
	switch {
	case body[0] != algorithm:
		return nil, nil, fails(StepDynamic, "B2 6.5.2 step 6", "the hash algorithm is unknown")
	case int(body[1]) > len(body)-2:
		return nil, nil, fails(StepDynamic, "B2 6.5.2 step 5", "the dynamic data are longer than the signature")
	}
	return s, body[2 : 2+int(body[1])], nil
}

// VerifyDynamic is DDA: it checks the answer to INTERNAL AUTHENTICATE over what
// the DDOL asked for and returns the ICC Dynamic Number, tag 9F4C of 2 to 8 bytes
// (B2 6.5.2). The error is an [*Error] of StepDynamic.
func (k *ICCKey) VerifyDynamic(signature, ddolData []byte) (number []byte, err error) {
	dynamic, err := k.RecoverDynamic(signature, ddolData)
	if err != nil {
		return nil, err
	}
	number, _, err = dynamicNumber(dynamic)
	return number, err
}

// dynamicNumber takes the ICC Dynamic Number from the front of the ICC Dynamic
// Data: a length and 2 to 8 bytes (B2 6.5.1).
func dynamicNumber(dynamic []byte) (number, rest []byte, err error) {
	if len(dynamic) < 1 || dynamic[0] < 2 || dynamic[0] > 8 || len(dynamic) < 1+int(dynamic[0]) {
		return nil, nil, fails(StepDynamic, "B2 6.5.1", "the ICC Dynamic Number is malformed")
	}
	n := int(dynamic[0])
	return dynamic[1 : 1+n], dynamic[1+n:], nil
}

// A Combined is what a combined signature covers (B2 6.6.1).
type Combined struct {
	Signature     []byte   // 9F4B
	Unpredictable []byte   // 9F37
	CID           emv.CID  // 9F27 as answered in clear
	Data          [][]byte // values sent for PDOL, CDOL1 and, after the second GENERATE AC, CDOL2
	Response      []byte   // objects of the answer except 9F4B, in order, with tags and lengths
}

// A Proof is what a combined signature holds.
type Proof struct {
	Number     []byte  // ICC Dynamic Number, 9F4C
	CID        emv.CID // that was signed
	Cryptogram []byte  // Application Cryptogram, 8 bytes, 9F26
	Hash       []byte  // Transaction Data Hash Code, 20 bytes
}

// VerifyCombined is CDA: it checks the signature in an answer to GENERATE AC (B2
// 6.6.2). The error is an [*Error] of StepDynamic, or of StepTransaction when the
// signature is right and the transaction is another one. Where the signature
// could be opened, the Proof comes with the error: the CID in it counts for what
// follows (B4 6.3.2.1).
func (k *ICCKey) VerifyCombined(c Combined) (*Proof, error) {
	const clause = "B2 6.6.2"
	s, dynamic, err := k.openDynamic(c.Signature)
	if err != nil {
		return nil, err
	}
	number, rest, err := dynamicNumber(dynamic)
	if err != nil {
		return nil, err
	}
	if len(rest) < 1+8+hashLength {
		return nil, fails(StepDynamic, clause+" step 5", "the dynamic data hold no cryptogram")
	}
	p := &Proof{Number: number, CID: emv.CID(rest[0]), Cryptogram: rest[1:9], Hash: rest[9 : 9+hashLength]}
	switch {
	case p.CID != c.CID:
		return p, fails(StepDynamic, clause+" step 6", "the signed CID is not the one answered")
	case !s.hashes(c.Unpredictable):
		return p, fails(StepDynamic, clause+" step 9", "the hash differs")
	case !bytes.Equal(transactionHash(c), p.Hash):
		return p, fails(StepTransaction, clause+" step 12", "the transaction data hash differs")
	}
	return p, nil
}

// transactionHash is the Transaction Data Hash Code (B2 6.6.2 steps 10 and 11).
func transactionHash(c Combined) []byte {
	h := sha1.New()
	for _, d := range c.Data {
		h.Write(d)
	}
	h.Write(c.Response)
	return h.Sum(nil)
}
