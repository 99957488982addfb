package iso8583

import (
	"slices"

	"tallystick.example/internal/pure/ber"
)

// forbiddenChip are the tags of DE 55 that would carry card data in clear
// towards the host: PAN, track data, name, expiry.
var forbiddenChip = []uint32{0x5A, 0x57, 0x56, 0x5F20, 0x5F24, 0x9F1F, 0x9F20, 0x9F6B}

// answerChip are the only tags of DE 55 in an answer: issuer authentication
// data, issuer scripts, authorisation response code.
var answerChip = []uint32{0x91, 0x71, 0x72, 0x8A}

// ForbiddenChipTags returns the tags that DE 55 must not hold towards the host.
func ForbiddenChipTags() []uint32 { return slices.Clone(forbiddenChip) }

// chipLimits bound DE 55: scripts hold objects one level down.
var chipLimits = ber.Limits{MaxDepth: 3, MaxObjects: 64, MaxBytes: 255}

// checkChip checks chip data of DE 55 (tag 0) or of a tag of DE 63 that go in
// direction d. A forbidden tag is found at any depth.
func checkChip(data []byte, d Direction, de int, tag byte) *RuleError {
	nodes, err := ber.Parse(data, chipLimits)
	if err != nil {
		return &RuleError{DE: de, Tag: tag, Code: "30", Reason: "the chip data are malformed"}
	}
	if len(nodes) == 0 {
		return &RuleError{DE: de, Tag: tag, Code: "30", Reason: "the chip data are empty"}
	}
	for i, n := range nodes {
		if d == ToTerminal && !slices.Contains(answerChip, n.Tag) {
			return &RuleError{DE: de, Tag: tag, Code: "30", Reason: "the chip data hold a tag that no answer has"}
		}
		// Several scripts may come, every other tag only once.
		if n.Tag != 0x71 && n.Tag != 0x72 && slices.ContainsFunc(nodes[:i], func(o ber.Node) bool { return o.Tag == n.Tag }) {
			return &RuleError{DE: de, Tag: tag, Code: "30", Reason: "the chip data hold a tag twice"}
		}
	}
	if d == ToHost {
		for n := range ber.All(nodes) {
			if slices.Contains(forbiddenChip, n.Tag) {
				return &RuleError{DE: de, Tag: tag, Code: "30", Reason: "the chip data hold card data in clear"}
			}
		}
	}
	return nil
}

// chipIdentity finds cryptogram (9F26) and ATC (9F36) of DE 55. A malformed one
// is taken as a whole.
func chipIdentity(data []byte) (cryptogram, atc []byte) {
	nodes, err := ber.Parse(data, chipLimits)
	if err != nil {
		return data, nil
	}
	if n, ok := ber.Find(nodes, 0x9F26); ok {
		cryptogram = n.Value
	}
	if n, ok := ber.Find(nodes, 0x9F36); ok {
		atc = n.Value
	}
	return cryptogram, atc
}
