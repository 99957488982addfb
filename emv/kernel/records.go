package kernel

import (
	"context"

	"tallystick.example/emv"
	"tallystick.example/internal/pure/ber"
)

const stepRecords = "read application data"

// maxRecords bounds the READ RECORD commands that an AFL can order: real ones
// order about ten.
const maxRecords = 128

// Records is what the records of an application hold.
type Records struct {
	Tags emv.Data // objects of files 1 to 10 that come from a card
	// Static are the bytes of the records that are signed, in the order read; nil
	// when a signed record is no template 70, so that authentication must fail.
	Static []byte
}

// An aflEntry orders a range of records of one file (B3 10.2).
type aflEntry struct{ sfi, first, last, signed byte }

// parseAFL reads an Application File Locator and checks it as a whole, before a
// record is read.
func parseAFL(afl []byte) ([]aflEntry, error) {
	if len(afl) == 0 || len(afl)%4 != 0 {
		return nil, cardError(stepRecords, "B3 10.2", "AFL of %d bytes", len(afl))
	}
	var entries []aflEntry
	records := 0
	for ; len(afl) > 0; afl = afl[4:] {
		e := aflEntry{sfi: afl[0] >> 3, first: afl[1], last: afl[2], signed: afl[3]}
		if afl[0]&0x07 != 0 || e.sfi < 1 || e.sfi > 30 || e.first < 1 || e.last < e.first ||
			int(e.signed) > int(e.last)-int(e.first)+1 {
			return nil, cardError(stepRecords, "B3 10.2", "AFL entry for file %d is malformed", e.sfi)
		}
		records += int(e.last) - int(e.first) + 1
		entries = append(entries, e)
	}
	if records > maxRecords {
		return nil, cardError(stepRecords, "B3 10.2", "AFL orders %d records", records)
	}
	return entries, nil
}

// ReadRecords reads what afl orders (B3 10.2) and checks it: every record of
// files 1 to 10 is one template 70, no primitive object occurs twice, and 5A,
// 5F24, 8C and 8D are there and well formed. Any error ends the transaction.
func ReadRecords(ctx context.Context, card Card, afl []byte) (*Records, error) {
	entries, err := parseAFL(afl)
	if err != nil {
		return nil, err
	}
	r := &Records{Static: []byte{}}
	for _, e := range entries {
		for n := int(e.first); n <= int(e.last); n++ {
			data, sw, err := send(ctx, card, stepRecords, readRecord(e.sfi, byte(n)))
			if err != nil {
				return nil, err
			}
			if sw != emv.SWOK {
				return nil, cardError(stepRecords, "B3 6.5.11.5", "the card answers %v to READ RECORD", sw)
			}
			signed := n < int(e.first)+int(e.signed)
			if err := r.add(e.sfi, data, signed); err != nil {
				return nil, err
			}
		}
	}
	return r, r.check()
}

// add takes in one record. Files 11 to 30 are the issuer's own: their records
// are not looked into, but may be signed (B3 5.3.2.2, 10.3).
func (r *Records) add(sfi byte, data []byte, signed bool) error {
	nodes, err := ber.Parse(data, ber.Limits{})
	template := err == nil && len(nodes) == 1 && nodes[0].Tag == uint32(emv.TagRecord) && len(nodes[0].Raw) == len(data)
	if sfi > 10 {
		r.sign(data, template, signed)
		return nil
	}
	if !template {
		return cardError(stepRecords, "B3 6.5.11.4", "a record of file %d is not one template 70", sfi)
	}
	r.sign(nodes[0].Value, true, signed)
	for n := range ber.All(nodes[0].Children) {
		tag := emv.Tag(n.Tag)
		if n.Constructed() {
			continue
		}
		if r.Tags.Has(tag) {
			return cardError(stepRecords, "B3 10.2", "object %v is there twice", tag)
		}
		// The terminal's own objects do not come from a card (B3 Annex A1).
		if entry, _ := emv.Lookup(tag); entry.Origin == emv.FromCard {
			r.Tags.Set(tag, n.Value)
		}
	}
	return nil
}

// sign adds the bytes of a signed record to the static data.
func (r *Records) sign(data []byte, template, signed bool) {
	switch {
	case !signed || r.Static == nil:
	case !template:
		r.Static = nil
	default:
		r.Static = append(r.Static, data...)
	}
}

// check looks at what every application must have (B3 7.2, 7.5).
func (r *Records) check() error {
	for _, tag := range []emv.Tag{emv.TagPAN, emv.TagExpiry, emv.TagCDOL1, emv.TagCDOL2} {
		if !r.Tags.Has(tag) {
			return cardError(stepRecords, "B3 7.2", "object %v is missing", tag)
		}
	}
	pan, ok := r.Tags.Digits(emv.TagPAN)
	if !ok || len(pan) < 8 || len(pan) > 19 {
		return cardError(stepRecords, "B3 7.5", "object 5A is malformed")
	}
	if _, ok := r.Tags.Day(emv.TagExpiry); !ok {
		return cardError(stepRecords, "B3 7.5", "object 5F24 is malformed")
	}
	for _, tag := range []emv.Tag{emv.TagCDOL1, emv.TagCDOL2} {
		list, _ := r.Tags.Get(tag)
		dol, err := emv.ParseDOL(list)
		if err != nil || dol.Len() > maxCommandData {
			return cardError(stepRecords, "B3 7.5", "object %v is malformed", tag)
		}
	}
	return nil
}

// StaticData is what an issuer has signed: the records and, where 9F4A asks for
// it, the AIP (B3 10.3). It is nil when it cannot be built, also because 9F4A
// asks for anything but the AIP: authentication must then fail.
func (r *Records) StaticData(aip []byte) []byte {
	if r.Static == nil {
		return nil
	}
	static := append([]byte{}, r.Static...)
	list, ok := r.Tags.Get(emv.TagSDATags)
	if !ok || len(list) == 0 {
		return static
	}
	if len(list) != 1 || emv.Tag(list[0]) != emv.TagAIP || len(aip) != 2 {
		return nil
	}
	return append(static, aip...)
}
