package kernel

import (
	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

// An FCI is what an application says of itself in the answer to SELECT (B1
// 11.3.4): File Control Information.
type FCI struct {
	Name []byte   // 84, the DF name
	tags emv.Data // what A5 holds: 50, 87, 9F38, 5F2D, 9F11, 9F12
}

// PDOL is tag 9F38, nil when the card asks for nothing.
func (f *FCI) PDOL() []byte {
	v, _ := f.tags.Get(emv.TagPDOL)
	return v
}

// ParseFCI reads the data of an answer to SELECT: one template 6F with a DF name
// of 5 to 16 bytes and a template A5. Anything else is an *Error of CardError.
func ParseFCI(data []byte) (*FCI, error) {
	const step = "application selection"
	nodes, err := ber.Parse(data, ber.Limits{})
	if err != nil {
		return nil, &Error{Reason: CardError, Step: step, Clause: "B1 11.3.4", Text: "the FCI is malformed", Err: err}
	}
	if len(nodes) != 1 || nodes[0].Tag != uint32(emv.TagFCI) {
		return nil, cardError(step, "B1 11.3.4", "the answer to SELECT is no FCI template")
	}
	name, found := ber.Find(nodes[0].Children, uint32(emv.TagDFName))
	own, proprietary := ber.Find(nodes[0].Children, uint32(emv.TagFCIProprietary))
	if !found || !proprietary || len(name.Value) < 5 || len(name.Value) > 16 {
		return nil, cardError(step, "B1 11.3.4", "the FCI has no DF name or no proprietary template")
	}
	f := &FCI{Name: append([]byte(nil), name.Value...)}
	for _, n := range own.Children {
		if !n.Constructed() && !f.tags.Has(emv.Tag(n.Tag)) {
			f.tags.Set(emv.Tag(n.Tag), n.Value)
		}
	}
	return f, nil
}
