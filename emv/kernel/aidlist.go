package kernel

import (
	"bytes"
	"context"

	"tallystick.example/emv"
)

// maxSelectNext bounds how many applications of one partial name a card can
// present: one that ignores P2 would answer for ever.
const maxSelectNext = 16

// fromAIDs makes the list by selecting every AID of the terminal (B1 12.3.3).
func fromAIDs(ctx context.Context, card Card, apps []Application) ([]Candidate, error) {
	var list []Candidate
	for _, app := range apps {
		found, err := tryAID(ctx, card, app)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			list = add(list, c)
		}
	}
	return list, nil
}

// tryAID selects app and, while the card answers with longer names, the next
// application of that name (SELECT with P2 02).
func tryAID(ctx context.Context, card Card, app Application) ([]Candidate, error) {
	var found []Candidate
	var last []byte
	for n := 0; n < maxSelectNext; n++ {
		data, sw, err := send(ctx, card, stepCandidates, selectByName(app.AID, n > 0))
		if err != nil {
			return nil, err
		}
		if sw == emv.SWNotSupported && n == 0 {
			return nil, errBlocked
		}
		if sw != emv.SWOK && sw != emv.SWInvalidated {
			return found, nil
		}
		fci, err := ParseFCI(data)
		if err != nil || !bytes.HasPrefix(fci.Name, app.AID) || bytes.Equal(fci.Name, last) {
			return found, nil
		}
		last = fci.Name
		if sw == emv.SWOK && app.matches(fci.Name) {
			found = append(found, candidate(fci.Name, &fci.tags))
		}
		if len(fci.Name) == len(app.AID) {
			return found, nil // the very name: there is no other of it
		}
	}
	return found, nil
}
