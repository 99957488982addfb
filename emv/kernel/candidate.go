package kernel

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"tallystick.example/emv"
)

// A Candidate is an application that card and terminal have in common.
type Candidate struct {
	AID           []byte // DF name on the card, 5 to 16 bytes
	Label         string // 50; printable characters only
	PreferredName string // 9F12, in the code table CodeTable
	CodeTable     int    // 9F11, part of ISO 8859; 0 when the card has none
	Priority      int    // 1 is the highest, 15 the lowest, 0 none
	Confirmation  bool   // not to be selected without the cardholder's confirmation
}

// maxCandidates bounds the list that a card can fill: nobody chooses among more.
const maxCandidates = 64

// BuildCandidates makes the candidate list (B1 12.3): from the directory of the
// card, or, where it has none or an unusable one, by trying every AID of apps.
// The list is sorted by priority, applications without one last, else in the
// order found. Errors: CardBlocked, NoApplication, CardLost, Stopped.
func BuildCandidates(ctx context.Context, card Card, apps []Application, withoutPSE bool) ([]Candidate, error) {
	var list []Candidate
	if !withoutPSE {
		var err error
		if list, err = fromDirectory(ctx, card, apps); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		var err error
		if list, err = fromAIDs(ctx, card, apps); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, &Error{Reason: NoApplication, Step: stepCandidates, Clause: "B1 12.3",
			Text: "card and terminal have no application in common", Fallback: true}
	}
	slices.SortStableFunc(list, func(a, b Candidate) int { return cmp.Compare(a.rank(), b.rank()) })
	return list, nil
}

const stepCandidates = "candidate list"

func (c Candidate) rank() int {
	if c.Priority == 0 {
		return 16
	}
	return c.Priority
}

// ChoiceRequired reports whether the cardholder has to choose or confirm.
func ChoiceRequired(list []Candidate) bool {
	return len(list) > 1 || len(list) == 1 && list[0].Confirmation
}

// candidate makes a Candidate of name and the objects around it.
func candidate(name []byte, tags *emv.Data) Candidate {
	c := Candidate{AID: bytes.Clone(name)}
	label, _ := tags.Get(emv.TagLabel)
	preferred, _ := tags.Get(emv.TagPreferredName)
	c.Label, c.PreferredName = printable(label), printable(preferred)
	if n, ok := tags.Number(emv.TagCodeTable); ok && n >= 1 && n <= 16 {
		c.CodeTable = int(n)
	}
	if p, ok := tags.Get(emv.TagPriority); ok && len(p) == 1 {
		c.Priority, c.Confirmation = int(p[0]&0x0F), p[0]&0x80 != 0
	}
	return c
}

// add appends c unless the list is full or has it.
func add(list []Candidate, c Candidate) []Candidate {
	has := slices.ContainsFunc(list, func(o Candidate) bool { return bytes.Equal(o.AID, c.AID) })
	if has || len(list) == maxCandidates {
		return list
	}
	return append(list, c)
}

// printable keeps a name of the card from moving the cursor or hiding text: only
// graphic characters of its 8-bit code table stay, at most 16.
func printable(name []byte) string {
	var b strings.Builder
	for _, c := range name[:min(16, len(name))] {
		if c >= 0x20 && c < 0x7F || c >= 0xA0 {
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}
