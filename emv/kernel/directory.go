package kernel

import (
	"context"
	"errors"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

// pseName is the name of the Payment System Environment (B1 12.2.2).
const pseName = "1PAY.SYS.DDF01"

// maxDirectoryRecords bounds how long a card can keep a terminal reading.
const maxDirectoryRecords = 32

// errDirectory means that the directory cannot be used: the terminal then tries
// its own list, so the reason matters to nobody.
var errDirectory = errors.New("directory unusable")

// fromDirectory makes the list from the directory of the card (B1 12.3.2). An
// empty list without error means that there is none or that it is unusable.
func fromDirectory(ctx context.Context, card Card, apps []Application) ([]Candidate, error) {
	data, sw, err := send(ctx, card, stepCandidates, selectByName([]byte(pseName), false))
	switch {
	case err != nil:
		return nil, err
	case sw == emv.SWNotSupported:
		return nil, errBlocked
	case sw != emv.SWOK:
		return nil, nil
	}
	sfi, err := directorySFI(data)
	if err != nil {
		return nil, nil
	}
	var list []Candidate
	for record := byte(1); record <= maxDirectoryRecords; record++ {
		data, sw, err := send(ctx, card, stepCandidates, readRecord(sfi, record))
		switch {
		case err != nil:
			return nil, err
		case sw == emv.SWRecordNotFound:
			return list, nil
		case sw != emv.SWOK:
			return nil, nil
		}
		entries, err := directoryEntries(data)
		if err != nil {
			return nil, nil
		}
		for _, e := range entries {
			if _, ok := match(apps, e.AID); ok {
				list = add(list, e)
			}
		}
	}
	return list, nil
}

// errBlocked is a card that answers SELECT with 6A81 (B1 12.3.2, 12.3.3).
var errBlocked = &Error{Reason: CardBlocked, Step: stepCandidates, Clause: "B1 12.3", Text: "the card is blocked"}

// directorySFI reads the SFI of the directory from the FCI of the PSE (B1 11.3.4).
func directorySFI(data []byte) (byte, error) {
	fci, err := ParseFCI(data)
	if err != nil || string(fci.Name) != pseName {
		return 0, errDirectory
	}
	sfi, ok := fci.tags.Get(emv.TagSFI)
	if !ok || len(sfi) != 1 || sfi[0] < 1 || sfi[0] > 10 {
		return 0, errDirectory
	}
	return sfi[0], nil
}

// directoryEntries reads one record of the directory (B1 12.2.3): a template 70
// of entries 61. An entry without an application name, such as one of another
// directory, is passed over.
func directoryEntries(record []byte) ([]Candidate, error) {
	nodes, err := ber.Parse(record, ber.Limits{})
	if err != nil || len(nodes) != 1 || nodes[0].Tag != uint32(emv.TagRecord) {
		return nil, errDirectory
	}
	var list []Candidate
	for _, entry := range nodes[0].Children {
		if entry.Tag != uint32(emv.TagDirectoryEntry) {
			continue
		}
		name, ok := ber.Find(entry.Children, uint32(emv.TagAID))
		if !ok || len(name.Value) < 5 || len(name.Value) > 16 {
			continue
		}
		var tags emv.Data
		for _, n := range entry.Children {
			tags.Set(emv.Tag(n.Tag), n.Value)
		}
		list = append(list, candidate(name.Value, &tags))
	}
	return list, nil
}
