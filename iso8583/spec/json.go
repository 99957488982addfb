package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The standard library's reading of JSON into structs takes keys in any case,
// keeps the last of duplicate keys and can ignore unknown ones. So the file is
// read into a tree first, in which nothing is lost, and the tree then into a
// [Spec], in which every key is asked for.

// maxNesting bounds the objects within each other: a composite is one with its
// subfields another.
const maxNesting = 3 * MaxDepth

// An object is a JSON object whose keys are each there once, in their order.
type object struct {
	keys   []string
	values map[string]any // string, json.Number, bool, nil, []any or *object
}

// parse reads one JSON document.
func parse(raw []byte) (any, *Error) {
	switch {
	case len(raw) > MaxSize:
		return nil, bad("", "it has more than %d bytes", MaxSize)
	case !utf8.Valid(raw):
		return nil, bad("", "it is not UTF-8")
	case !json.Valid(raw):
		return nil, bad("", "it is no JSON%s", syntaxPlace(raw))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := value(d, "", 0)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, bad("", "it is no JSON near byte %d", d.InputOffset())
	}
	return v, nil
}

// syntaxPlace says where the syntax breaks.
func syntaxPlace(raw []byte) string {
	var any json.RawMessage
	if e, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(raw, &any)); ok {
		return fmt.Sprintf(" near byte %d", e.Offset)
	}
	return ""
}

// value reads the next value. Errors without an [Error] are of the syntax.
func value(d *json.Decoder, path string, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		if depth == maxNesting {
			return nil, bad(path, "objects are nested more than %d deep", maxNesting)
		}
		return members(d, path, depth+1)
	case json.Delim('['):
		return nil, bad(path, "a list has no meaning here")
	}
	return t, nil
}

func members(d *json.Decoder, path string, depth int) (*object, error) {
	o := &object{values: map[string]any{}}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, errors.New("a key that is no string")
		}
		if _, twice := o.values[key]; twice {
			return nil, bad(path, "the key %q is there twice", shown(key))
		}
		at := path
		if key != "fields" && key != "subfields" { // these two only hold fields
			at = join(path, shown(key))
		}
		v, err := value(d, at, depth)
		if err != nil {
			return nil, err
		}
		o.keys, o.values[key] = append(o.keys, key), v
	}
	_, err := d.Token() // the brace that closes
	return o, err
}

// maxShown bounds what a message repeats of a file, in bytes.
const maxShown = 80

// shown is a word of a file, short enough for a message.
func shown(key string) string {
	if len(key) > maxShown {
		return key[:maxShown] + "…"
	}
	return key
}

// A reader takes the values of one object by key and keeps the first error.
type reader struct {
	path string
	o    *object
	seen map[string]bool
	err  *Error
}

func newReader(path string, v any, what string) *reader {
	o, ok := v.(*object)
	if !ok {
		return &reader{path: path, o: &object{}, err: bad(path, "%s is no JSON object", what)}
	}
	return &reader{path: path, o: o, seen: map[string]bool{}}
}

func (r *reader) take(key string) (any, bool) {
	if r.err != nil {
		return nil, false
	}
	r.seen[key] = true
	v, ok := r.o.values[key]
	return v, ok
}

func (r *reader) fail(key, want string) {
	if r.err == nil {
		r.err = bad(r.path, "%s must be %s", key, want)
	}
}

func (r *reader) text(key string) string {
	v, ok := r.take(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.fail(key, "a text")
	}
	return s
}

func (r *reader) number(key string) int {
	v, ok := r.take(key)
	if !ok {
		return 0
	}
	n, ok := v.(json.Number)
	i, err := strconv.Atoi(n.String())
	if !ok || err != nil || i < 0 || i > MaxLength {
		r.fail(key, fmt.Sprintf("a whole number from 0 to %d", MaxLength))
		return 0
	}
	return i
}

func (r *reader) flag(key string) bool {
	v, ok := r.take(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.fail(key, "true or false")
	}
	return b
}

// done reports the first error, or a key that nobody has asked for.
func (r *reader) done() *Error {
	if r.err != nil {
		return r.err
	}
	for _, key := range r.o.keys {
		if !r.seen[key] {
			return bad(r.path, "the key %q is not known", shown(key))
		}
	}
	return nil
}
