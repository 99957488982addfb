package emv

import (
	"fmt"
	"slices"

	"tallystick.example/internal/pure/ber"
	"tallystick.example/internal/pure/secret"
)

// A Getter gives the value of a tag. [Data] is one; a Getter is what
// [BuildDOL] takes its values from.
type Getter interface {
	// Get returns a copy of the value that the caller owns, and whether there is one.
	Get(tag Tag) (value []byte, ok bool)
}

// Data holds the values of tags, one a tag. Nothing prints them: every value is
// a [secret.Secret], because PANs and tracks are among them. The zero value is
// empty and ready. One Data is used by one goroutine at a time.
type Data struct {
	values map[Tag]secret.Secret
}

// Set stores a copy of value under tag, in place of an earlier one.
func (d *Data) Set(tag Tag, value []byte) {
	if d.values == nil {
		d.values = make(map[Tag]secret.Secret)
	}
	if old, ok := d.values[tag]; ok {
		old.Wipe()
	}
	d.values[tag] = secret.New(value)
}

// Delete removes tag and wipes its value.
func (d *Data) Delete(tag Tag) {
	if old, ok := d.values[tag]; ok {
		old.Wipe()
		delete(d.values, tag)
	}
}

// Get returns a copy of the value of tag. A tag may be there with an empty value.
func (d *Data) Get(tag Tag) (value []byte, ok bool) {
	s, ok := d.values[tag]
	if !ok {
		return nil, false
	}
	return slices.Clone(s.Expose()), true
}

// Has reports whether tag is there.
func (d *Data) Has(tag Tag) bool {
	_, ok := d.values[tag]
	return ok
}

// Secret returns a Secret with a copy of the value of tag, empty when there is
// none. It lives on when the Data is wiped; the caller wipes it.
func (d *Data) Secret(tag Tag) secret.Secret {
	return secret.New(d.values[tag].Expose())
}

// Tags are the tags that are there, in ascending order.
func (d *Data) Tags() []Tag {
	tags := make([]Tag, 0, len(d.values))
	for t := range d.values {
		tags = append(tags, t)
	}
	slices.Sort(tags)
	return tags
}

// Wipe overwrites all values and empties d.
func (d *Data) Wipe() {
	for _, s := range d.values {
		s.Wipe()
	}
	clear(d.values)
}

// Digits returns a value of format n or cn as text without the filler F. ok is
// false when tag is missing or does not hold digits.
func (d *Data) Digits(tag Tag) (digits string, ok bool) {
	s, ok := d.values[tag]
	if !ok {
		return "", false
	}
	digits, err := Digits(s.Expose())
	return digits, err == nil
}

// Number returns a value of format n as a number of at most 18 digits.
func (d *Data) Number(tag Tag) (n int64, ok bool) {
	s, ok := d.values[tag]
	if !ok {
		return 0, false
	}
	n, err := Number(s.Expose())
	return n, err == nil
}

// Binary returns a value of one to eight bytes as an unsigned number.
func (d *Data) Binary(tag Tag) (n uint64, ok bool) {
	s, ok := d.values[tag]
	if !ok || s.Len() == 0 || s.Len() > 8 {
		return 0, false
	}
	for _, b := range s.Expose() {
		n = n<<8 | uint64(b)
	}
	return n, true
}

// Day returns a date of format YYMMDD.
func (d *Data) Day(tag Tag) (day Day, ok bool) {
	s, ok := d.values[tag]
	if !ok {
		return Day{}, false
	}
	day, err := ParseDay(s.Expose())
	return day, err == nil
}

// AppendTLV adds the objects of tags that are there, in the order given, to
// dst: the content of DE 55.
func (d *Data) AppendTLV(dst []byte, tags ...Tag) []byte {
	for _, t := range tags {
		if s, ok := d.values[t]; ok {
			dst = ber.Append(dst, uint32(t), s.Expose())
		}
	}
	return dst
}

// Format answers every verb with the number of objects alone.
func (d Data) Format(f fmt.State, _ rune) {
	// The state of a formatter has no failing writer; fmt ignores it too.
	_, _ = fmt.Fprintf(f, "[%d EMV data objects]", len(d.values))
}
