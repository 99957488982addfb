package testvectors

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// ParseHex reads upper-case hexadecimal without separators, as the schema
// writes bytes. Lower case and an odd number of digits are errors.
func ParseHex(s string) ([]byte, error) {
	if strings.ContainsAny(s, "abcdef") {
		return nil, errors.New("hexadecimal in lower case")
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("not hexadecimal: %w", err)
	}
	return b, nil
}

// Hex writes bytes as the schema does.
func Hex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// maxDepth bounds the nesting of a result.
const maxDepth = 64

// Normal brings a result into the form that a case has after Parse, so that the
// two can be compared: bytes (also a nil slice of them) become upper-case
// hexadecimal, integers become [json.Number]; strings, booleans, nil, and lists
// and objects of all these stay. A float or any other type is an error, since
// an operation must not return it.
func Normal(v any) (any, error) { return normal(reflect.ValueOf(v), 0) }

func normal(v reflect.Value, depth int) (any, error) {
	if !v.IsValid() {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, errors.New("result nested too deeply")
	}
	if n, ok := v.Interface().(json.Number); ok {
		return n, nil
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return json.Number(strconv.FormatInt(v.Int(), 10)), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return json.Number(strconv.FormatUint(v.Uint(), 10)), nil
	case reflect.Slice, reflect.Array:
		return normalList(v, depth)
	case reflect.Map:
		return normalObject(v, depth)
	case reflect.Interface:
		return normal(v.Elem(), depth)
	default:
		return nil, fmt.Errorf("result of type %s", v.Type())
	}
}

func normalList(v reflect.Value, depth int) (any, error) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return Hex(b), nil
	}
	list := make([]any, v.Len())
	for i := range list {
		e, err := normal(v.Index(i), depth+1)
		if err != nil {
			return nil, err
		}
		list[i] = e
	}
	return list, nil
}

func normalObject(v reflect.Value, depth int) (any, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("result of type %s", v.Type())
	}
	object := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		e, err := normal(it.Value(), depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", it.Key(), err)
		}
		object[it.Key().String()] = e
	}
	return object, nil
}

// Equal reports whether a result fits the one that a case states. Every key that
// an object of want has must be there and fit; got may have more. Both are in
// the form of Parse and Normal.
func Equal(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for k, w := range want {
			e, ok := g[k]
			if !ok || !Equal(w, e) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !Equal(want[i], g[i]) {
				return false
			}
		}
		return true
	default:
		return want == got
	}
}
