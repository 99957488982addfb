package testvectors

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Input is what a case gives to its operation. Its methods read one key each
// and panic with an [*InputError] when the key is missing or has another type:
// a malformed case then fails, in a test as in the vector runner.
type Input map[string]any

// An InputError tells that a case does not hold what its operation needs.
type InputError struct {
	Key  string
	Want string // what the operation needs there
	// Content tells that the value is a string as it should be, but with other
	// characters: a program that reads it refuses the input. Otherwise the case
	// itself is broken.
	Content bool
}

// Error names the key and what was expected, never the value.
func (e *InputError) Error() string { return fmt.Sprintf("input %q must be %s", e.Key, e.Want) }

// Has reports whether the key is there and not null.
func (in Input) Has(key string) bool { return in[key] != nil }

// Hex is a value of bytes.
func (in Input) Hex(key string) []byte {
	s, ok := in[key].(string)
	b, err := ParseHex(s)
	if !ok || err != nil {
		panic(&InputError{Key: key, Want: "upper-case hexadecimal", Content: ok})
	}
	return b
}

// Digits is a string of decimal digits.
func (in Input) Digits(key string) string {
	s, ok := in[key].(string)
	if !ok || strings.Trim(s, "0123456789") != "" {
		panic(&InputError{Key: key, Want: "a string of decimal digits", Content: ok})
	}
	return s
}

// Number is an integer.
func (in Input) Number(key string) int64 {
	n, err := number(in[key])
	if err != nil {
		panic(&InputError{Key: key, Want: "an integer"})
	}
	return n
}

// Int is a Number that is small: a count, a length, a position.
func (in Input) Int(key string) int {
	n := in.Number(key)
	if n != int64(int32(n)) {
		panic(&InputError{Key: key, Want: "a small integer"})
	}
	return int(n)
}

func number(v any) (int64, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, fmt.Errorf("not a number")
	}
	return n.Int64()
}

// Text is any string.
func (in Input) Text(key string) string {
	s, ok := in[key].(string)
	if !ok {
		panic(&InputError{Key: key, Want: "a text"})
	}
	return s
}

// Bool is true or false.
func (in Input) Bool(key string) bool {
	b, ok := in[key].(bool)
	if !ok {
		panic(&InputError{Key: key, Want: "true or false"})
	}
	return b
}

// List is a list of anything.
func (in Input) List(key string) []any {
	l, ok := in[key].([]any)
	if !ok {
		panic(&InputError{Key: key, Want: "a list"})
	}
	return l
}

// Object is an object, read like an input.
func (in Input) Object(key string) Input {
	o, ok := in[key].(map[string]any)
	if !ok {
		panic(&InputError{Key: key, Want: "an object"})
	}
	return o
}

// Objects is a list of objects.
func (in Input) Objects(key string) []Input {
	list := in.List(key)
	objects := make([]Input, len(list))
	for i, e := range list {
		o, ok := e.(map[string]any)
		if !ok {
			panic(&InputError{Key: key, Want: "a list of objects"})
		}
		objects[i] = o
	}
	return objects
}

// Texts is a list of strings.
func (in Input) Texts(key string) []string {
	list := in.List(key)
	texts := make([]string, len(list))
	for i, e := range list {
		s, ok := e.(string)
		if !ok {
			panic(&InputError{Key: key, Want: "a list of texts"})
		}
		texts[i] = s
	}
	return texts
}

// Keys are the names of the inputs in alphabetical order.
func (in Input) Keys() []string { return slices.Sorted(maps.Keys(in)) }

// Tags is an object from tag to value, both bytes; the keys of the result are
// upper-case hexadecimal.
func (in Input) Tags(key string) map[string][]byte {
	o := in.Object(key)
	tags := make(map[string][]byte, len(o))
	for tag := range o {
		if b, err := ParseHex(tag); err != nil || len(b) == 0 {
			panic(&InputError{Key: key, Want: "an object from tag to value"})
		}
		tags[tag] = o.Hex(tag)
	}
	return tags
}

// An Exchange is a command and its answer.
type Exchange struct {
	C []byte // what the program must send
	R []byte // what it is answered with, status bytes last
}

// Exchanges is a list of exchanges in the order of use.
func (in Input) Exchanges(key string) []Exchange {
	objects := in.Objects(key)
	exchanges := make([]Exchange, len(objects))
	for i, o := range objects {
		exchanges[i] = Exchange{C: o.Hex("c"), R: o.Hex("r")}
	}
	return exchanges
}
