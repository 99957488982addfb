package kernel

import (
	"bytes"
	"context"

	"tallystick.example/emv"
)

const stepSelect = "final application selection"

// SelectApplication selects c on the card (B1 12.4). An *Error of
// ApplicationUnusable means that c is blocked or is not what it was: the caller
// takes it out of the list and chooses again. CardBlocked and CardLost end the
// transaction.
func SelectApplication(ctx context.Context, card Card, c Candidate) (*FCI, error) {
	data, sw, err := send(ctx, card, stepSelect, selectByName(c.AID, false))
	switch {
	case err != nil:
		return nil, err
	case sw == emv.SWNotSupported:
		return nil, errBlocked
	case sw != emv.SWOK:
		return nil, unusable("the card answers %v", sw)
	}
	fci, err := ParseFCI(data)
	if err != nil {
		return nil, unusable("its FCI cannot be read")
	}
	if !bytes.Equal(fci.Name, c.AID) {
		return nil, unusable("the card selected another application")
	}
	return fci, nil
}

func unusable(format string, args ...any) *Error {
	e := cardError(stepSelect, "B1 12.4", format, args...)
	e.Reason = ApplicationUnusable
	return e
}
