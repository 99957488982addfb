package score

// Entry is how the card was read (DE 22).
type Entry string

// The ways of reading a card.
const (
	Chip        Entry = "chip"
	Contactless Entry = "contactless"
	Magstripe   Entry = "magstripe"
	Fallback    Entry = "fallback" // the chip failed, the stripe was read
	Keyed       Entry = "keyed"
	Unknown     Entry = "unknown"
)

// EntryOf reads the first two digits of DE 22.
func EntryOf(de22 string) Entry {
	if len(de22) < 2 {
		return Unknown
	}
	switch de22[:2] {
	case "05", "95":
		return Chip
	case "07":
		return Contactless
	case "02", "90", "91":
		return Magstripe
	case "80":
		return Fallback
	case "01", "79":
		return Keyed
	}
	return Unknown
}

// TakesPIN reports whether a terminal can ask for a PIN after this kind of
// entry.
func (e Entry) TakesPIN() bool {
	return e == Chip || e == Contactless || e == Magstripe || e == Fallback
}

// Features are all that rules see of an authorization: the feature vector that
// is stored with the decision. The names in the expr tags are those that rules
// use.
type Features struct {
	Amount     int64  `expr:"amount" json:"amount"`         // minor units
	Currency   int    `expr:"currency" json:"currency"`     // ISO 4217 numeric
	Processing string `expr:"processing" json:"processing"` // DE 3
	Entry      string `expr:"entry" json:"entry"`           // see Entry
	PIN        bool   `expr:"pin" json:"pin"`               // an online PIN came with it
	Cryptogram bool   `expr:"cryptogram" json:"cryptogram"` // the chip made a cryptogram
	TerminalID string `expr:"terminal_id" json:"terminal_id"`
	Merchant   string `expr:"merchant" json:"merchant"`
	BIN        string `expr:"bin" json:"bin"`
	CardIsNew  bool   `expr:"card_is_new" json:"card_is_new"` // never seen by this host before
	Hour       int    `expr:"hour" json:"hour"`               // 0 to 23, UTC
	Weekday    int    `expr:"weekday" json:"weekday"`         // 0 is Sunday, UTC
	Card       Span   `expr:"card" json:"card"`               // attempts of this card, this one included
	Terminal   Span   `expr:"terminal" json:"terminal"`       // attempts at this terminal, this one included
}
