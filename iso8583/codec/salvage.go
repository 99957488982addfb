package codec

// Salvage reads raw as [Message.Unpack] does but keeps, when an element is bad,
// the elements before it: for people who look for what is wrong with a message.
// The error is that of Unpack, a *FieldError. A message that was salvaged in part
// is not the one that came, and packs to the elements that were kept.
func (m *Message) Salvage(raw []byte) error {
	m.load(raw)
	err := m.p.run(m, MaxElement, false)
	if err == nil {
		return nil
	}
	m.dirty = true
	switch {
	case err.Reason == ReasonTrailing && err.DE == 0: // all elements were read
	case err.DE == 0:
		m.hasMTI, m.bits = false, Bitmap{}
	default:
		for de := err.DE; de <= MaxElement; de++ {
			m.bits.clear(de)
		}
	}
	return err
}
