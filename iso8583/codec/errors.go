package codec

import "fmt"

// A FieldError says that an element or subfield cannot be read or written. It
// never holds the value.
type FieldError struct {
	DE     int    // element: 0 is the MTI or the message as a whole, 1 the bitmaps
	Path   string // element and subfields, as "48.3" or "55.9F02"
	Offset int    // byte offset into the message, -1 for what is being set
	Reason string // without values
}

// Error names the field, the place and the reason.
func (e *FieldError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("iso8583: DE %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("iso8583: DE %s at byte %d: %s", e.Path, e.Offset, e.Reason)
}

// A LayoutError says that a dialect cannot be compiled: which field, and why.
type LayoutError struct {
	Path   string // element and subfields, "" for the dialect as a whole
	Reason string
}

// Error names the field and the reason.
func (e *LayoutError) Error() string {
	if e.Path == "" {
		return "iso8583: the layout cannot be compiled: " + e.Reason
	}
	return "iso8583: the layout of DE " + e.Path + " cannot be compiled: " + e.Reason
}

// The reasons of a FieldError. Callers may compare them; docs/codec.md lists
// which of them moov's codec does not know.
const (
	ReasonTooLong       = "the message is longer than the maximum"
	ReasonTrailing      = "bytes follow the last element"
	ReasonUndefined     = "the element is not defined"
	ReasonEndsInLength  = "the data end within the length"
	ReasonEndsInField   = "the data end within the element"
	ReasonEndsInBitmap  = "the data end within the bitmap"
	ReasonEndsInTag     = "the data end within the tag"
	ReasonLengthDigits  = "the length is not decimal"
	ReasonLengthHex     = "the length is not hexadecimal"
	ReasonLengthBER     = "the length is not a definite length of BER"
	ReasonLengthZero    = "the length is zero"
	ReasonLengthMax     = "the length is above the maximum"
	ReasonFiller        = "the filling nibble is not zero"
	ReasonNibble        = "a nibble is not a decimal digit"
	ReasonChar          = "a character is not allowed"
	ReasonHexDigit      = "a character is not a hexadecimal digit"
	ReasonNotNumber     = "the value is not a number of up to 64 bits"
	ReasonTrack         = "the track data are malformed"
	ReasonManyMaps      = "the bitmap announces another one, which is not allowed"
	ReasonEmptyMap      = "the second bitmap is empty"
	ReasonSubTrailing   = "bytes follow the last subfield"
	ReasonTagUndefined  = "the tag is not defined"
	ReasonManySubfields = "there are too many subfields"
	ReasonNoPlace       = "the element has no place in this message"
	ReasonBehindRest    = "something follows a field that has no length"

	reasonWrongLen  = "the value has a wrong length"
	reasonNegative  = "the value is negative"
	reasonOrder     = "the subfield is out of order"
	reasonOpen      = "a composite element is not finished"
	reasonNoMTI     = "the MTI is missing"
	reasonComposite = "the subfields are set one by one"
	reasonOddHex    = "the number of hexadecimal digits is odd"
)
