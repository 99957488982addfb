package iso8583

import "tallystick.example/internal/pure/secret"

// PackMasked packs m with zeros in place of what no disk may hold although it is
// enciphered (rule 10 of the tally): the PIN blocks of DE 52 and DE 63, and the
// card data of DE 63. m is not changed. It is for messages that keep the rules of
// [Validate]; another one may hold card data in clear, anywhere. The error is that
// of [Message.Private] or [Pack].
func PackMasked(m *Message) ([]byte, error) {
	p, err := m.Private()
	if err != nil {
		return nil, err
	}
	c := m.Clone()
	if c.Has(52) {
		c.SetBytes(52, make([]byte, 8))
	}
	if !p.PINBlock.IsZero() || len(p.CardData.Ciphertext) > 0 {
		p.PINBlock = secret.Take(make([]byte, p.PINBlock.Len()))
		p.CardData.Ciphertext = make([]byte, len(p.CardData.Ciphertext))
		c.SetPrivate(p)
	}
	return Pack(c)
}
