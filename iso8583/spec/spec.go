package spec

import "fmt"

// A Spec is a message specification as its JSON form has it.
type Spec struct {
	Name   string         `json:"name,omitempty"`
	Fields map[int]*Field `json:"fields"` // by element: 0 the MTI, 1 the bitmap, 2 to 192

	// numeric elements hold digits alone where they are written as characters,
	// which the JSON form cannot say; only the dialects of this package have it.
	numeric [][2]int
}

// A Field says how one element or subfield is written.
type Field struct {
	Type        string `json:"type"` // one of Types
	Length      int    `json:"length,omitempty"`
	Description string `json:"description,omitempty"`
	Enc         string `json:"enc,omitempty"`    // one of Encodings; empty for a composite
	Prefix      string `json:"prefix,omitempty"` // one of Prefixes
	Padding     *Pad   `json:"padding,omitempty"`

	// Of a composite: its subfields by number or tag, and how they are found.
	Tag       *Tag              `json:"tag,omitempty"`
	Subfields map[string]*Field `json:"subfields,omitempty"`
	Bitmap    *Field            `json:"bitmap,omitempty"`
	// DisableAutoExpand keeps the first bit of a bitmap from announcing another.
	DisableAutoExpand bool `json:"disableAutoExpand,omitempty"`
}

// A Pad says how a value is filled to its length.
type Pad struct {
	Type string `json:"type"` // Left, Right or None
	Pad  string `json:"pad"`  // one character of ASCII
}

// A Tag says how the subfields of a composite are named and in which order they
// are written. Without Enc they follow each other by position.
type Tag struct {
	Length              int    `json:"length,omitempty"`
	Enc                 string `json:"enc,omitempty"`
	Padding             *Pad   `json:"padding,omitempty"`
	Sort                string `json:"sort,omitempty"` // StringsByInt or StringsByHex
	SkipUnknownTLVTags  bool   `json:"skipUnknownTLVTags,omitempty"`
	StoreUnknownTLVTags bool   `json:"storeUnknownTLVTags,omitempty"`
	PrefUnknownTLV      string `json:"prefUnknownTLV,omitempty"`
}

// Bounds of what is read.
const (
	MaxSize   = 4 << 20 // bytes of a file
	MaxDepth  = 8       // composites within each other
	MaxFields = 16384   // fields and subfields in all
	MaxLength = 65535   // of a field
	// MaxElement is the highest element: three bitmaps of 64 bits.
	MaxElement = 192
)

// An Error says which field of a specification is wrong, and why.
type Error struct {
	Path   string // element and subfields, such as "48.3", or "" for the whole
	Reason string
}

// Error names the field and the reason.
func (e *Error) Error() string {
	if e.Path == "" {
		return "the specification: " + e.Reason
	}
	return "field " + e.Path + ": " + e.Reason
}

func bad(path, format string, args ...any) *Error {
	return &Error{Path: path, Reason: fmt.Sprintf(format, args...)}
}

// join is the path of a subfield.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
