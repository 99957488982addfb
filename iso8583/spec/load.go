package spec

import "strconv"

// Load reads a specification in the JSON form of github.com/moov-io/iso8583,
// strictly: unknown and duplicate keys, values of the wrong kind, lengths that
// cannot be, unknown types, encodings and prefixes are errors that name the
// field. The error is an *[Error].
func Load(raw []byte) (*Spec, error) {
	tree, err := parse(raw)
	if err != nil {
		return nil, err
	}
	s, err := specOf(tree)
	if err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

func specOf(tree any) (*Spec, *Error) {
	r := newReader("", tree, "it")
	s := &Spec{Name: r.text("name"), Fields: map[int]*Field{}}
	fields, ok := r.take("fields")
	if err := r.done(); err != nil {
		return nil, err
	}
	o, isObject := fields.(*object)
	if !ok || !isObject {
		return nil, bad("", "it has no object \"fields\"")
	}
	l := loader{}
	for _, key := range o.keys {
		n, err := strconv.Atoi(key)
		if err != nil || n < 0 || n > MaxElement || strconv.Itoa(n) != key {
			return nil, bad("", "the element %q is no number from 0 to %d", shown(key), MaxElement)
		}
		f, e := l.field(key, o.values[key], 0)
		if e != nil {
			return nil, e
		}
		s.Fields[n] = f
	}
	return s, nil
}

// A loader counts the fields that it reads.
type loader struct{ fields int }

func (l *loader) field(path string, v any, depth int) (*Field, *Error) {
	if l.fields++; l.fields > MaxFields {
		return nil, bad(path, "there are more than %d fields", MaxFields)
	}
	if depth == MaxDepth {
		return nil, bad(path, "composites are nested more than %d deep", MaxDepth)
	}
	r := newReader(path, v, "the field")
	f := &Field{
		Type: r.text("type"), Length: r.number("length"), Description: r.text("description"),
		Enc: r.text("enc"), Prefix: r.text("prefix"), DisableAutoExpand: r.flag("disableAutoExpand"),
	}
	padding, hasPadding := r.take("padding")
	tag, hasTag := r.take("tag")
	subfields, hasSubfields := r.take("subfields")
	bitmap, hasBitmap := r.take("bitmap")
	if err := r.done(); err != nil {
		return nil, err
	}
	var err *Error
	if hasPadding {
		if f.Padding, err = pad(path, padding); err != nil {
			return nil, err
		}
	}
	if hasTag {
		if f.Tag, err = tagOf(path, tag); err != nil {
			return nil, err
		}
	}
	if hasBitmap {
		if f.Bitmap, err = l.field(join(path, "bitmap"), bitmap, depth+1); err != nil {
			return nil, err
		}
	}
	if hasSubfields {
		return f, l.subfields(path, f, subfields, depth+1)
	}
	return f, nil
}

func (l *loader) subfields(path string, f *Field, v any, depth int) *Error {
	o, ok := v.(*object)
	if !ok {
		return bad(path, "the subfields are no JSON object")
	}
	f.Subfields = map[string]*Field{}
	for _, key := range o.keys {
		sub, err := l.field(join(path, shown(key)), o.values[key], depth)
		if err != nil {
			return err
		}
		f.Subfields[key] = sub
	}
	return nil
}

func pad(path string, v any) (*Pad, *Error) {
	r := newReader(path, v, "the padding")
	p := &Pad{Type: r.text("type"), Pad: r.text("pad")}
	return p, r.done()
}

func tagOf(path string, v any) (*Tag, *Error) {
	r := newReader(path, v, "the tag")
	t := &Tag{
		Length: r.number("length"), Enc: r.text("enc"), Sort: r.text("sort"), PrefUnknownTLV: r.text("prefUnknownTLV"),
		SkipUnknownTLVTags: r.flag("skipUnknownTLVTags"), StoreUnknownTLVTags: r.flag("storeUnknownTLVTags"),
	}
	padding, ok := r.take("padding")
	if err := r.done(); err != nil {
		return nil, err
	}
	if ok {
		var err *Error
		if t.Padding, err = pad(path, padding); err != nil {
			return nil, err
		}
	}
	return t, nil
}
