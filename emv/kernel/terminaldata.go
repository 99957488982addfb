package kernel

import (
	"fmt"
	"io"

	"tallystick.example/emv"
)

// fillTerminal sets the objects that the terminal gives (B3 Annex A1, B4 Annex A)
// from configuration and transaction. The unpredictable number stays the same
// throughout a transaction.
func (s *Session) fillTerminal(un [4]byte) {
	d, c, t := &s.terminal, s.cfg, &s.tx
	d.Set(emv.TagTerminalType, []byte{byte(c.Type)})
	d.Set(emv.TagCapabilities, s.capabilities[:])
	d.Set(emv.TagMoreCapabilities, c.MoreCapabilities[:])
	d.Set(emv.TagTerminalCountry, digits(int64(c.Country), 2))
	d.Set(emv.TagTerminalID, []byte(c.TerminalID))
	d.Set(emv.TagIFDSerial, []byte(c.IFDSerial))
	d.Set(emv.TagMerchantID, fmt.Appendf(nil, "%-15s", c.MerchantID))
	d.Set(emv.TagMCC, digits(int64(c.MCC), 2))
	d.Set(emv.TagEntryMode, []byte{0x05})
	if c.Acquirer != "" {
		value, err := emv.FormatDigits(emv.FormatN, c.Acquirer, 6)
		if err != nil {
			panic("kernel: an acquirer that was checked has no digits")
		}
		d.Set(emv.TagAcquirer, value)
	}
	if c.MerchantName != "" {
		d.Set(emv.TagMerchantName, []byte(c.MerchantName))
	}
	if c.CategoryCode != 0 {
		d.Set(emv.TagTransactionCategory, []byte{c.CategoryCode})
	}

	d.Set(emv.TagAIDTerminal, s.app.AID)
	d.Set(emv.TagVersionTerminal, s.app.Version[:])
	d.Set(emv.TagFloorLimit, binaryAmount(s.app.FloorLimit))

	d.Set(emv.TagAmount, digits(t.Amount, 6))
	d.Set(emv.TagAmountOther, digits(t.Other, 6))
	d.Set(emv.TagAmountBinary, binaryAmount(t.Amount))
	d.Set(emv.TagAmountOtherBinary, binaryAmount(t.Other))
	d.Set(emv.TagCurrency, digits(int64(t.Currency), 2))
	d.Set(emv.TagCurrencyExponent, digits(int64(t.Exponent), 1))
	d.Set(emv.TagType, []byte{t.Kind.typeCode()})
	d.Set(emv.TagDate, t.Date.Bytes())
	d.Set(emv.TagTime, append(append(digits(int64(t.Time[0]), 1), digits(int64(t.Time[1]), 1)...), digits(int64(t.Time[2]), 1)...))
	d.Set(emv.TagSequence, digits(int64(t.Sequence), 4))
	d.Set(emv.TagUnpredictable, un[:])
	s.storeResults()
}

// readRandom fills buf; a source that fails ends the transaction.
func readRandom(random io.Reader, buf []byte) error {
	if _, err := io.ReadFull(random, buf); err != nil {
		return fmt.Errorf("kernel: reading random bytes: %w", err)
	}
	return nil
}

// cardInfo collects what callers want of a card.
func (s *Session) cardInfo() *CardInfo {
	c := candidate(s.fci.Name, &s.fci.tags)
	info := &CardInfo{AID: c.AID, Label: c.Label, PreferredName: c.PreferredName, CodeTable: c.CodeTable, Sequence: -1}
	language, _ := s.fci.tags.Get(emv.TagLanguage)
	if text := printable(language); len(text)%2 == 0 {
		info.Languages = text
	}
	pan, _ := s.tags.Digits(emv.TagPAN)
	info.PAN = takeText(pan)
	info.Track2 = s.tags.Secret(emv.TagTrack2)
	info.CardholderName = s.tags.Secret(emv.TagCardholderName)
	if n, ok := s.tags.Number(emv.TagPANSequence); ok && n <= 99 {
		info.Sequence = int(n)
	}
	info.Expiry, _ = s.tags.Digits(emv.TagExpiry)
	if code, ok := s.tags.Digits(emv.TagServiceCode); ok && len(code) == 4 {
		info.ServiceCode = code[1:]
	}
	if n, ok := s.tags.Number(emv.TagIssuerCountry); ok && n <= 999 {
		info.IssuerCountry = int(n)
	}
	return info
}
