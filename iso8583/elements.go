package iso8583

import "slices"

// An Element is one row of the table of data elements.
type Element struct {
	DE     int
	Name   string
	Format string // n, an, ans, z, b, or x+n: a sign C or D and BCD digits
	// Length is in digits (n), characters (an, ans, z) or bytes (b, x+n): exact
	// for fixed elements, the maximum for variable ones.
	Length int
	// Prefix is the number of digits of the length before a variable element, 2
	// (LLVAR, one BCD byte) or 3 (LLLVAR, two BCD bytes); 0 for a fixed one.
	Prefix int
	// Sensitive elements are never shown.
	Sensitive bool

	presence string // one letter for each of columns; empty: never
	Rule     string
}

// Presence says whether messages of type t carry the element.
func (e Element) Presence(t MTI) Presence { return e.in(column(t)) }

// in is Presence for a column, -1 being none.
func (e *Element) in(column int) Presence {
	if e.DE == 64 || e.DE == 128 {
		return Conditional
	}
	return presenceAt(e.presence, column)
}

// Used reports whether any message type carries the element. The others are
// known to the codec only so that a message with one of them can be read far
// enough to be refused.
func (e Element) Used() bool { return e.presence != "" || e.DE == 64 || e.DE == 128 }

// elements is the table of data elements of ISO 8583:1987, in order.
//
// Presence columns:  0100 0110 0200 0210 0220 0230 0320 0330 0420 0430 0500 0510 0520 0530 0800 0810
var elements = append([]Element{
	{DE: 3, Name: "processing code", Format: "n", Length: 6,
		presence: "M E M E M E M E M E - - - - - -",
		Rule:     "Transaction type (2), account from (2), account to (2); see the transaction table. Accounts 00 default, 10 savings, 20 cheque, 30 credit. A reversal or upload carries that of its original."},
	{DE: 4, Name: "amount, transaction", Format: "n", Length: 12,
		presence: "C e M E M E M E M E - - - - - -",
		Rule:     "Minor units of DE 49, more than zero. Includes cashback and tip. Absent in a balance inquiry. In an answer equal to the request's, or smaller with DE 39 = 10 (partial approval)."},
	{DE: 7, Name: "transmission date and time", Format: "n", Length: 10,
		presence: "M E M E M E M E M E M E M E M E",
		Rule:     "MMDDhhmmss, UTC. A repeat keeps it."},
	{DE: 11, Name: "systems trace audit number (STAN)", Format: "n", Length: 6,
		presence: "M E M E M E M E M E M E M E M E",
		Rule:     "1 to 999999, unique within the day of the terminal; each attempt, reversal, advice and upload has its own, a repeat keeps it."},
	{DE: 12, Name: "time, local transaction", Format: "n", Length: 6,
		presence: "M E M E M E M E M E O e O e O e",
		Rule:     "hhmmss. A reversal and an upload carry that of their original."},
	{DE: 13, Name: "date, local transaction", Format: "n", Length: 4,
		presence: "M E M E M E M E M E O e O e O e",
		Rule:     "MMDD. A reversal and an upload carry that of their original."},
	{DE: 22, Name: "point of service entry mode", Format: "n", Length: 3,
		presence: "M - M - M - M - M - - - - - - -",
		Rule:     "Entry mode (2) and PIN capability (1); see the entry mode table. A reversal and an upload carry that of their original."},
	{DE: 23, Name: "card sequence number", Format: "n", Length: 3,
		presence: "O - O - O - O - - - - - - - - -",
		Rule:     "Tag 5F34 of the card, with a leading zero, when the card gave one."},
	{DE: 24, Name: "network international identifier", Format: "n", Length: 3,
		presence: "O e O e O e O e O e O e O e O e",
		Rule:     "Not used by the host; echoed."},
	{DE: 25, Name: "point of service condition code", Format: "n", Length: 2,
		presence: "M - M - M - M - M - - - - - - -",
		Rule:     "See the transaction table. A reversal and an upload carry that of their original."},
	{DE: 26, Name: "point of service PIN capture code", Format: "n", Length: 2,
		presence: "O - O - - - - - - - - - - - - -",
		Rule:     "04 to 12: the longest PIN that the device takes."},
	{DE: 37, Name: "retrieval reference number (RRN)", Format: "an", Length: 12,
		presence: "C M C M C M O M O M - O - O - -",
		Rule:     "Given by the host. In a request: that of the original, required where the transaction table says that the original is required, and optional in a refund."},
	{DE: 38, Name: "authorization identification response", Format: "an", Length: 6,
		presence: "O C O C O O O - O - - - - - - -",
		Rule:     "In an answer required when DE 39 approves (00, 10), except to a balance inquiry, void or release. In a request: that of the original, or of a voice authorization."},
	{DE: 39, Name: "response code", Format: "an", Length: 2,
		presence: "- M - M O M M M - M - M - M - M",
		Rule:     "See the response code table. In 0220: Y1, Y3 or 00 of the decision at the terminal; in 0320: that of the stored answer."},
	{DE: 41, Name: "card acceptor terminal identification", Format: "ans", Length: 8,
		presence: "M E M E M E M E M E M E M E M E",
		Rule:     "The common name (CN) of the client certificate: 8 capital letters and digits."},
	{DE: 42, Name: "card acceptor identification code", Format: "ans", Length: 15,
		presence: "M E M E M E M E M E M E M E M E",
		Rule:     "The organization (O) of the client certificate: 15 capital letters and digits."},
	{DE: 49, Name: "currency code, transaction", Format: "n", Length: 3,
		presence: "C e M E M E M E M E - - - - - -",
		Rule:     "ISO 4217 numeric. Present exactly when DE 4 is."},
	{DE: 52, Name: "PIN data", Format: "b", Length: 8, Sensitive: true,
		presence: "C - C - - - - - - - - - - - - -",
		Rule:     "An 8-byte PIN block (ISO 9564 format 0 or 3) under the TDES DUKPT PIN key of the 10-byte KSN in DE 63 tag 04; only with that tag and not with DE 63 tag 07. Never in an advice or reversal."},
	{DE: 54, Name: "additional amounts", Format: "ans", Length: 120, Prefix: 3,
		presence: "- O C O O - O - - - - - - - - -",
		Rule:     "One to six times: account type (2), amount type (2: 01 ledger balance, 02 available balance, 40 cashback, 44 tip), currency (3), C or D, amount (12). Required with type 40 in a purchase with cashback and with type 44 in a tip adjustment. In a request each is a part of DE 4, in the currency of DE 49."},
	{DE: 55, Name: "integrated circuit card data", Format: "b", Length: 255, Prefix: 3,
		presence: "C O C O C - O - O - - - - - - -",
		Rule:     "BER-TLV (EMV Book 3 Annex B), each tag once except the scripts 71 and 72. Required in 0100, 0200 and 0220 when DE 22 says chip or contactless chip and the message carries card data; refused with other entry modes. Towards the host never with 5A, 57, 56, 5F20, 5F24, 9F1F, 9F20, 9F6B (DE 39 = 30). In an answer only 91, 71, 72, 8A: never an echo."},
	{DE: 63, Name: "private data", Format: "b", Length: 999, Prefix: 3,
		presence: "M M M M M M M M M M M M M M C C",
		Rule:     "TLV of our own; see the tag table. Required except in an echo."},
	{DE: 64, Name: "message authentication code (MAC)", Format: "b", Length: 8,
		Rule: "The last element when there is no second bitmap. Every message has a MAC except the echo (0800, 0810 with DE 70 = 301), which has none."},
	{DE: 66, Name: "settlement code", Format: "n", Length: 1,
		presence: "- - - - - - - - - - - M - M - -",
		Rule:     "1 the totals agree (DE 39 = 00), 2 they differ (DE 39 = 95), 9 not compared."},
	{DE: 70, Name: "network management information code", Format: "n", Length: 3,
		presence: "- - - - - - - - - - - - - - M E",
		Rule:     "See the network management table."},
	{DE: 90, Name: "original data elements", Format: "n", Length: 42,
		presence: "C - C - C - M - M - - - - - - -",
		Rule:     "MTI (4), DE 11 (6) and DE 7 (10) of the original, then DE 32 and 33 (11 each), which are zeros. Required where the transaction table says that the original is required, and optional in a refund."},
	{DE: 95, Name: "replacement amounts", Format: "n", Length: 42,
		presence: "- - - - - - - - C - - - - - - -",
		Rule:     "Partial reversal: the amount that remains (12), 12 zeros, 18 zeros. It is more than zero and less than DE 4."},
	{DE: 128, Name: "message authentication code (MAC)", Format: "b", Length: 8,
		Rule: "The last element when there is a second bitmap; otherwise as DE 64."},
}, unusedElements...)

// elementOf finds the row of an element; every DE from 2 to 128 except 65 has one.
func elementOf(de int) (Element, bool) {
	i, ok := slices.BinarySearchFunc(sortedElements, de, func(e Element, de int) int { return e.DE - de })
	if !ok {
		return Element{}, false
	}
	return sortedElements[i], true
}

// sortedElements is the whole table in the order of the message.
var sortedElements = func() []Element {
	s := slices.Clone(elements)
	slices.SortFunc(s, func(a, b Element) int { return a.DE - b.DE })
	return s
}()

// Elements returns the table of data elements in order, a copy.
func Elements() []Element { return slices.Clone(sortedElements) }
