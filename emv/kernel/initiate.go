package kernel

import (
	"context"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

const stepInitiate = "initiate application processing"

// A Profile is the answer to GET PROCESSING OPTIONS.
type Profile struct {
	AIP []byte // 2 bytes
	AFL []byte // a multiple of 4 bytes, not empty
	// pdolData is what was sent; it enters the hash of a combined signature.
	pdolData []byte
}

// Initiate sends GET PROCESSING OPTIONS with what the PDOL asks for (B3 10.1)
// and reads both formats of its answer (B3 6.5.8.4). An *Error of
// ApplicationUnusable (6985) means that another application is to be selected;
// any other error ends the transaction.
func Initiate(ctx context.Context, card Card, pdol []byte, sources ...emv.Getter) (*Profile, error) {
	dol, err := emv.ParseDOL(pdol)
	if err != nil {
		return nil, &Error{Reason: CardError, Step: stepInitiate, Clause: "B3 5.4", Text: "the PDOL is malformed", Err: err}
	}
	sent := dol.Build(sources...)
	data, sw, err := send(ctx, card, stepInitiate, command{cla: 0x80, ins: 0xA8,
		data: ber.Append(nil, uint32(emv.TagCommandTemplate), sent), le: true})
	switch {
	case err != nil:
		return nil, err
	case sw == emv.SWConditions:
		return nil, &Error{Reason: ApplicationUnusable, Step: stepInitiate, Clause: "B3 6.5.8.5",
			Text: "the card does not allow this application here"}
	case sw != emv.SWOK:
		return nil, cardError(stepInitiate, "B3 6.5.8.5", "the card answers %v", sw)
	}
	profile, err := ParseProcessingOptions(data)
	if err != nil {
		return nil, err
	}
	profile.pdolData = sent
	return profile, nil
}

// ParseProcessingOptions takes AIP and AFL from an answer to GET PROCESSING
// OPTIONS (B3 6.5.8.4): format 1 is both one after the other, format 2 a template
// of objects, others of which are passed over. Anything else is an *Error of
// CardError. The result does not refer to data.
func ParseProcessingOptions(data []byte) (*Profile, error) {
	p := &Profile{}
	nodes, err := ber.Parse(data, ber.Limits{})
	if err != nil || len(nodes) != 1 {
		return nil, cardError(stepInitiate, "B3 6.5.8.4", "the answer is malformed")
	}
	switch emv.Tag(nodes[0].Tag) {
	case emv.TagResponse1:
		if len(nodes[0].Value) < 2 {
			return nil, cardError(stepInitiate, "B3 6.5.8.4", "the answer is too short")
		}
		p.AIP, p.AFL = nodes[0].Value[:2], nodes[0].Value[2:]
	case emv.TagResponse2:
		aip, _ := ber.Find(nodes[0].Children, uint32(emv.TagAIP))
		afl, _ := ber.Find(nodes[0].Children, uint32(emv.TagAFL))
		p.AIP, p.AFL = aip.Value, afl.Value
	default:
		return nil, cardError(stepInitiate, "B3 6.5.8.4", "the answer has neither format")
	}
	if len(p.AIP) != 2 || len(p.AFL) == 0 || len(p.AFL)%4 != 0 || len(p.AFL) > 252 {
		return nil, cardError(stepInitiate, "B3 10.1", "AIP or AFL is missing or malformed")
	}
	return p, nil
}
