//go:build !(386 || arm || mips || mipsle)

package codec

import (
	"slices"

	"github.com/moov-io/iso8583/field"
	moovsort "github.com/moov-io/iso8583/sort"
)

// compositeOf adds to d what is composite about a field.
func compositeOf(path string, d Field, s *field.Spec) (Field, error) {
	bad := func(why string) (Field, error) { return Field{}, &LayoutError{path, why} }
	if s.Validate() != nil {
		return bad("its specification is not valid")
	}
	var order moovsort.StringSlice
	switch {
	case s.Bitmap != nil:
		b, err := bitmapOf(path, s.Bitmap)
		if err != nil {
			return Field{}, err
		}
		d.Bitmap, order = &b, moovsort.StringsByInt
	default:
		order = s.Tag.Sort
		if s.Tag.Enc != nil {
			t, why := tagsOf(s.Tag)
			if why != "" {
				return bad(why)
			}
			d.Tags = &t
		}
	}
	keys, why := ordered(s.Subfields, order)
	if why != "" {
		return bad(why)
	}
	for _, key := range keys {
		sub, err := fieldOf(path+"."+key, s.Subfields[key])
		if err != nil {
			return Field{}, err
		}
		sub.Key = key
		d.Subfields = append(d.Subfields, sub)
	}
	return d, nil
}

func tagsOf(s *field.TagSpec) (t Tags, why string) {
	t.Length = s.Length
	if t.Enc, why = encodingOf(s.Enc); why != "" {
		return t, "its tags: " + why
	}
	if t.Pad, why = padOf(s.Pad); why != "" {
		return t, "its tags: " + why
	}
	// moov skips tags only where it can know their length.
	t.Skip = s.SkipUnknownTLVTags && (t.Enc == BERTag || s.PrefUnknownTLV != nil)
	t.Unknown = Prefix{Form: BERLength}
	if s.PrefUnknownTLV != nil {
		if t.Unknown, why = prefixOf(s.PrefUnknownTLV); why != "" {
			return t, "its unknown tags: " + why
		}
	}
	return t, ""
}

// ordered sorts the keys of subfields with the function of the specification. It
// refuses one that does not order them: what it does with another input order
// must be the same, and so must nothing be lost.
func ordered(subs map[string]field.Field, sort moovsort.StringSlice) (keys []string, why string) {
	for key := range subs {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	other := slices.Clone(keys)
	slices.Reverse(other)
	all := slices.Clone(keys)
	sort(keys)
	sort(other)
	if !slices.Equal(keys, other) {
		return nil, "its sort function does not order the subfields"
	}
	for _, key := range all {
		if !slices.Contains(keys, key) {
			return nil, "its sort function loses a subfield"
		}
	}
	return keys, ""
}
