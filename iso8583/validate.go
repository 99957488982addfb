package iso8583

// A Direction says who sends a message.
type Direction uint8

// The directions.
const (
	ToHost     Direction = iota + 1 // from a terminal
	ToTerminal                      // from the host
)

// Validate checks a readable message against the message table: message type,
// presence of every element and DE 63 tag, values, chip data. It does not check
// the MAC, nor an answer against its request (see [Matches]). The error is a
// *RuleError with the DE 39 of the refusal; its code is empty for a message type
// that gets no answer.
func Validate(m *Message, d Direction) error { return validate(m, d, false) }

// validate is Validate; an unsealed message still lacks MAC and KSN.
func validate(m *Message, d Direction, unsealed bool) error {
	f, ok := m.mti.flow()
	if !ok || (m.mti == f.Answer) != (d == ToTerminal) {
		return &RuleError{DE: 0, Reason: "the message type is not expected"}
	}
	if err := m.checkPresence(); err != nil {
		return err
	}
	if !unsealed {
		if err := m.checkMAC(); err != nil {
			return err
		}
	}
	p, present, err := parsePrivate(m.content(63))
	if err != nil {
		return err
	}
	v := check{m, &p, present, d, unsealed}
	for _, rule := range [...]func() *RuleError{v.tags, v.values, v.transaction, v.card, v.pin, v.chip, v.network, v.answer} {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

// checkPresence walks the presence column of the message type.
func (m *Message) checkPresence() error {
	col := column(m.mti)
	for i := range sortedElements {
		e := &sortedElements[i]
		has := m.Has(e.DE)
		switch e.in(col) {
		case Mandatory, EchoMandatory:
			if !has {
				return format(e.DE, "the element is missing")
			}
		case Never:
			if has {
				return format(e.DE, "the element is not allowed in this message")
			}
		}
	}
	return nil
}

// isEcho reports whether m is an echo or its answer, which have no MAC.
func (m *Message) isEcho() bool {
	return m.mti.Class() == ClassNetwork && m.Digits(70) == Echo
}

// checkMAC checks that the MAC is where it should be, and nowhere else.
func (m *Message) checkMAC() error {
	de, other := 64, 128
	if m.second() {
		de, other = 128, 64
	}
	switch {
	case m.isEcho() && (m.Has(64) || m.Has(128)):
		return format(de, "an echo has no MAC")
	case m.isEcho():
		return nil
	case m.Has(other):
		return format(other, "the MAC belongs into the other bitmap")
	case !m.Has(de):
		return format(de, "the MAC is missing")
	}
	return nil
}

func format(de int, reason string) *RuleError {
	return &RuleError{DE: de, Code: "30", Reason: reason}
}

// A check holds one message while its rules are looked at.
type check struct {
	m        *Message
	p        *Private
	present  tagSet // tags of DE 63
	d        Direction
	unsealed bool
}

// has reports whether a tag of DE 63 is present.
func (v *check) has(tag byte) bool { return v.present.has(tag) }

// tags walks the presence column of DE 63 and the rules that join its tags.
func (v *check) tags() *RuleError {
	col := column(v.m.mti)
	for i := range tags {
		t := &tags[i]
		switch presenceAt(t.presence, col) {
		case Mandatory, EchoMandatory:
			if !v.has(t.Tag) && !(t.Tag == 0x03 && v.unsealed) {
				return tagError(t.Tag, "the tag is missing")
			}
		case Never:
			if v.has(t.Tag) {
				return tagError(t.Tag, "the tag is not allowed in this message")
			}
		}
	}
	sealed := v.m.Has(64) || v.m.Has(128)
	if !v.unsealed && sealed != (v.p.MACKSN != nil) {
		return tagError(0x03, "KSN and MAC go together")
	}
	if (v.p.KeyBlock != "") != (v.p.KCV != nil) {
		return tagError(0x0C, "key block and check value go together")
	}
	if v.p.Chunk != nil && v.p.Checkpoint != nil {
		return tagError(0x14, "chunk and checkpoint do not go together")
	}
	if v.p.FinalChipData != nil {
		return checkChip(v.p.FinalChipData, v.d, 63, 0x0A)
	}
	return nil
}
