package conf

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Override sets fields of the struct that c points to from environment
// variables: the name is prefix and the YAML keys on the way, in capitals,
// joined with '_' ('-' becomes '_'). Strings, booleans, integers and durations
// can be set. A variable with the prefix that names no such field is an error,
// so that a typo does not pass unseen.
func Override(c any, prefix string, environ []string) error {
	fields := map[string]reflect.Value{}
	collect(reflect.ValueOf(c).Elem(), prefix, fields)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		f, ok := fields[name]
		if !ok {
			return fmt.Errorf("the environment sets %s, which is no key of the configuration; known: %s", name, strings.Join(names(fields), " "))
		}
		if err := set(f, value); err != nil {
			return fmt.Errorf("the environment variable %s: %w", name, err)
		}
	}
	return nil
}

func names(m map[string]reflect.Value) []string {
	var s []string
	for n := range m {
		s = append(s, n)
	}
	sort.Strings(s)
	return s
}

func collect(v reflect.Value, prefix string, into map[string]reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		name := prefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			collect(f, name+"_", into)
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint32:
			into[name] = f
		}
	}
}

func set(f reflect.Value, s string) error {
	switch {
	case f.Type() == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("want a duration such as 25s: %w", err)
		}
		f.SetInt(int64(d))
	case f.Kind() == reflect.String:
		f.SetString(s)
	case f.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("want true or false: %w", err)
		}
		f.SetBool(b)
	case f.CanInt():
		n, err := strconv.ParseInt(s, 10, f.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a number: %w", err)
		}
		f.SetInt(n)
	default:
		n, err := strconv.ParseUint(s, 10, f.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a number: %w", err)
		}
		f.SetUint(n)
	}
	return nil
}
