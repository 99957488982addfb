package msg

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"tallystick.example/internal/cli"
	"tallystick.example/internal/pure/ber"
	"tallystick.example/iso8583/codec"
	"tallystick.example/iso8583/spec"
)

// Pack makes a message from YAML or JSON: a map from elements to values. "mti" or
// 0 is the message type. A value is a text in quotes, for binary elements in
// hexadecimal; a map of subfields for an element that has such; a map of tags for
// binary data in BER-TLV, such as DE 55. The error is a *[cli.Failure].
func (d *Dialect) Pack(in []byte) ([]byte, error) {
	var doc yaml.MapSlice
	if err := yaml.NewDecoder(bytes.NewReader(in), yaml.Strict(), yaml.UseOrderedMap()).Decode(&doc); err != nil {
		// The library's text quotes the input, which may hold card data.
		return nil, usage("the fields cannot be read", "write a map of elements to values, as YAML or JSON", errors.New("it is no map, or a key is there twice"))
	}
	m := codec.NewMessage(d.program)
	m.Reset(d.program)
	for _, item := range doc {
		key := keyOf(item.Key)
		if strings.EqualFold(key, "mti") {
			key = "0"
		}
		f := d.spec.Fields[elementNumber(key)]
		if f == nil || key == "1" {
			return nil, usage(fmt.Sprintf("field %s is not in this dialect", key), "see the names with simulator msg explain", nil)
		}
		if err := d.put(m, key, f, item.Value); err != nil {
			return nil, err
		}
	}
	out, err := m.AppendTo(nil)
	if err != nil {
		return nil, usage("the message cannot be packed", "give the message type and fields in their full length", d.explained(err))
	}
	return out, nil
}

func usage(what, next string, err error) error { return cli.Fail(cli.ExitUsage, what, next, err) }

// explained adds to the codec's error how long the field is.
func (d *Dialect) explained(err error) error {
	fault, ok := errors.AsType[*codec.FieldError](err)
	if !ok {
		return err
	}
	f := d.field(fault.Path)
	if f == nil {
		return err
	}
	return fmt.Errorf("field %s (%s, %s %s, length %d): %s", fault.Path, f.Description, f.Enc, f.Prefix, f.Length, fault.Reason)
}

// keyOf is a key of the map as it is written.
func keyOf(k any) string { return fmt.Sprint(k) }

// put sets one element.
func (d *Dialect) put(m *codec.Message, key string, f *spec.Field, value any) error {
	de := elementNumber(key)
	if f.Type == "Composite" {
		sub, ok := value.(yaml.MapSlice)
		if !ok {
			return usage("field "+key+" has subfields", "give a map of them", nil)
		}
		c := m.Compose(de)
		if err := compose(c, key, f, sub); err != nil {
			return err
		}
		c.End()
		return nil
	}
	b, err := content(key, f, value)
	if err == nil {
		m.SetBytes(de, b)
	}
	return err
}

// compose sets the subfields of one composite field, in the order in which the
// codec wants them.
func compose(c *codec.Composer, path string, f *spec.Field, sub yaml.MapSlice) error {
	items := slices.Clone(sub)
	if f.Bitmap != nil || f.Tag != nil && f.Tag.Enc == "" {
		slices.SortStableFunc(items, func(a, b yaml.MapItem) int {
			return cmp.Compare(elementNumber(keyOf(a.Key)), elementNumber(keyOf(b.Key)))
		})
	}
	for _, item := range items {
		key := keyOf(item.Key)
		at := path + "." + key
		field := f.Subfields[key]
		if field == nil {
			return usage("field "+at+" is not in this dialect", "write its key as the specification does, in quotes", nil)
		}
		if field.Type == "Composite" {
			inner, ok := item.Value.(yaml.MapSlice)
			if !ok {
				return usage("field "+at+" has subfields", "give a map of them", nil)
			}
			c.Begin(key)
			if err := compose(c, at, field, inner); err != nil {
				return err
			}
			c.End()
			continue
		}
		b, err := content(at, field, item.Value)
		if err != nil {
			return err
		}
		c.SetBytes(key, b)
	}
	return nil
}

// content is the value of a field that has no subfields in the specification.
func content(path string, f *spec.Field, value any) ([]byte, error) {
	binary := f.Type == "Binary" || f.Type == "Hex" || f.Type == "Bitmap"
	switch v := value.(type) {
	case string:
		if !binary {
			return []byte(v), nil
		}
		b, err := unhex([]byte(v))
		if err != nil {
			return nil, usage("field "+path+" is binary", "write its value in hexadecimal", err)
		}
		return b, nil
	case yaml.MapSlice:
		if binary {
			return tlv(path, v)
		}
		return nil, usage("field "+path+" has no subfields", "give a text", nil)
	}
	return nil, usage("the value of field "+path+" is no text", "put it in quotes, so that its zeros stay", nil)
}

// tlv makes BER-TLV data of a map of tags.
func tlv(path string, tags yaml.MapSlice) ([]byte, error) {
	var out []byte
	for _, item := range tags {
		key := keyOf(item.Key)
		tag, err := strconv.ParseUint(key, 16, 32)
		value, ok := item.Value.(string)
		if err != nil || !ber.Valid(uint32(tag)) || !ok {
			return nil, usage("field "+path+"."+key+" is no tag with a value", "write tag and value in hexadecimal and in quotes", nil)
		}
		b, err := unhex([]byte(value))
		if err != nil {
			return nil, usage("the value of tag "+path+"."+key+" is not hexadecimal", "two digits for each byte", err)
		}
		out = ber.Append(out, uint32(tag), b)
	}
	return out, nil
}
