package testvectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Schema is the format that this package reads.
const Schema = "tallystick-vectors/1"

// MaxBytes bounds a file that Parse reads.
const MaxBytes = 64 << 20

// ErrSchema means that a file is not of the schema.
var ErrSchema = errors.New("not a file of schema " + Schema)

// A File is one topic.
type File struct {
	Schema string `json:"schema"`
	Topic  string `json:"topic"`
	About  string `json:"about"`
	Cases  []Case `json:"cases"`
}

// A Case is one input with the result that is right for it: either the keys of
// Out, or an error where Reject is set. A case with neither only asks.
type Case struct {
	ID     string         `json:"id"`
	Op     string         `json:"op"`
	In     map[string]any `json:"in"`
	Out    map[string]any `json:"out,omitempty"`
	Reject bool           `json:"reject,omitempty"`
	Why    string         `json:"why,omitempty"`
	Note   string         `json:"note,omitempty"`
	Review string         `json:"review,omitempty"`
	Source string         `json:"source,omitempty"`
}

// Asks reports whether the case states no result.
func (c Case) Asks() bool { return c.Out == nil && !c.Reject }

// Parse reads a file strictly: unknown keys, a second value, a wrong schema, a
// repeated or empty id, an empty op, absent inputs and a case that has both out
// and reject are errors. Numbers are kept as [json.Number].
func Parse(data []byte) (*File, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("file of %d bytes, at most %d are read", len(data), MaxBytes)
	}
	var f File
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the object", ErrSchema)
	}
	if f.Schema != Schema {
		return nil, fmt.Errorf("%w: schema is %q", ErrSchema, f.Schema)
	}
	if f.Topic == "" || f.Cases == nil {
		return nil, fmt.Errorf("%w: topic or cases are missing", ErrSchema)
	}
	seen := make(map[string]bool, len(f.Cases))
	for i, c := range f.Cases {
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("%w: case %d (%q): %w", ErrSchema, i, c.ID, err)
		}
		if seen[c.ID] {
			return nil, fmt.Errorf("%w: case %d: id %q is used twice", ErrSchema, i, c.ID)
		}
		seen[c.ID] = true
	}
	return &f, nil
}

func (c Case) check() error {
	switch {
	case c.ID == "":
		return errors.New("id is missing")
	case c.Op == "":
		return errors.New("op is missing")
	case c.In == nil:
		return errors.New("in is missing")
	case c.Out != nil && c.Reject:
		return errors.New("has both out and reject")
	case c.Out != nil && len(c.Out) == 0:
		return errors.New("out is empty: it would check nothing")
	case c.Review != "" && c.Review != "derived":
		return fmt.Errorf("review is %q", c.Review)
	}
	return nil
}
