package iso8583

import "slices"

// A Tag is one row of the table of DE 63 tags.
type Tag struct {
	Tag      byte
	Name     string
	Min, Max int    // length of the value in bytes
	Format   string // what the value holds
	Rule     string
	// Sensitive tags are shown by their length only.
	Sensitive bool

	presence string // one letter for each of columns
	put      func(dst []byte, p *Private) []byte
	get      func(p *Private, v []byte) bool
}

// Presence says whether messages of type t carry the tag.
func (t Tag) Presence(mti MTI) Presence { return presenceAt(t.presence, column(mti)) }

// tags is the table of DE 63, in the order in which tags are written.
//
// Presence columns:  0100 0110 0200 0210 0220 0230 0320 0330 0420 0430 0500 0510 0520 0530 0800 0810
var tags = []Tag{
	{Tag: 0x01, Name: "attempt id", Min: 16, Max: 16, Format: "8 random bytes, 8-byte number",
		presence: "O e O e O e O e O e O e O e O e",
		Rule:     "Identity of the attempt together with DE 41. Without it the identity is DE 41, MTI with the repeat digit cleared, DE 11, 12 and 13.",
		put:      putAttempt(func(p *Private) *AttemptID { return &p.AttemptID }), get: getAttempt(func(p *Private) *AttemptID { return &p.AttemptID })},
	{Tag: 0x02, Name: "original attempt id", Min: 16, Max: 16, Format: "as tag 01",
		presence: "O - O - O - O - O - - - - - - -",
		Rule:     "Attempt that a reversal undoes, that an upload repeats, that a void, refund, increment, completion, release or tip adjustment refers to, or whose place a new attempt takes after DE 39 = 1A. In a reversal required when the original had a tag 01.",
		put:      putAttempt(func(p *Private) *AttemptID { return &p.OriginalAttemptID }), get: getAttempt(func(p *Private) *AttemptID { return &p.OriginalAttemptID })},
	{Tag: 0x03, Name: "KSN of the MAC", Min: 10, Max: 12, Format: "10 bytes (TDES DUKPT) or 12 bytes (AES DUKPT)",
		presence: "M M M M M M M M M M M M M M C C",
		Rule:     "A fresh counter for every transmission, repeats included. An answer carries that of the message it answers. Present exactly when there is a MAC.",
		put:      putBytes(func(p *Private) *[]byte { return &p.MACKSN }), get: getKSN(func(p *Private) *[]byte { return &p.MACKSN })},
	{Tag: 0x04, Name: "KSN of the PIN block", Min: 10, Max: 12, Format: "as tag 03",
		presence: "C - C - - - - - - - - - - - - -",
		Rule:     "Present exactly when DE 52 or tag 07 is.",
		put:      putBytes(func(p *Private) *[]byte { return &p.PINKSN }), get: getKSN(func(p *Private) *[]byte { return &p.PINKSN })},
	{Tag: 0x05, Name: "KSN of the card data", Min: 10, Max: 12, Format: "as tag 03",
		presence: "C - C - C - C - - - - - - - - -",
		Rule:     "Present exactly when tag 06 is. That of a stored advice may be older than its tag 03.",
		put:      putBytes(func(p *Private) *[]byte { return &p.DataKSN }), get: getKSN(func(p *Private) *[]byte { return &p.DataKSN })},
	{Tag: 0x06, Name: "encrypted card data", Min: 17, Max: 209, Format: "length of the IV (1 byte: 8 or 16), IV, ciphertext of whole blocks", Sensitive: true,
		presence: "C - C - C - C - - - - - - - - -",
		Rule:     "Required in 0100, 0200 and 0220 except with a token (tag 13) or a reference to an original (DE 90, tag 02); optional in 0320. The IV is as long as a block of the cipher: 16 with a 12-byte KSN, 8 with a 10-byte one.",
		put:      putCard, get: getCard},
	{Tag: 0x07, Name: "AES PIN block", Min: 16, Max: 16, Format: "ISO 9564 format 4", Sensitive: true,
		presence: "C - C - - - - - - - - - - - - -",
		Rule:     "Only with tag 04 of 12 bytes and not with DE 52.",
		put:      putPIN, get: getPIN},
	{Tag: 0x08, Name: "reversal reason", Min: 1, Max: 1, Format: "see the table of reversal reasons",
		presence: "- - - - - - - - M - - - - - - -",
		put:      putReason, get: getReason},
	{Tag: 0x09, Name: "issuer script results", Min: 5, Max: 80, Format: "5 bytes for each script (EMV Book 4, Annex A5)",
		presence: "O - O - O - O - O - O - O - O -",
		Rule:     "Of the first attempt of tag 18, or without that tag of the attempt of the message.",
		put:      putBytes(func(p *Private) *[]byte { return &p.ScriptResults }), get: getScripts},
	{Tag: 0x0A, Name: "final chip data", Min: 3, Max: 128, Format: "BER-TLV of the second GENERATE AC, such as 9F26 9F27 9F10 9F36 95 9B",
		presence: "O - O - O - O - O - O - O - O -",
		Rule:     "Of the attempt that tag 09 is of. The tags that DE 55 must not hold are refused here too.",
		put:      putBytes(func(p *Private) *[]byte { return &p.FinalChipData }), get: getBytes(func(p *Private) *[]byte { return &p.FinalChipData })},
	{Tag: 0x0B, Name: "key block", Min: 16, Max: 512, Format: "TR-31 block, printable ASCII",
		presence: "- - - - - - - - - - - - - - - C",
		Rule:     "Answer to a key exchange (DE 70 = 101) with DE 39 = 00, with tag 0C.",
		put:      putText(func(p *Private) *string { return &p.KeyBlock }), get: getText(func(p *Private) *string { return &p.KeyBlock })},
	{Tag: 0x0C, Name: "key check value", Min: 3, Max: 5, Format: "3 bytes (TDES) or 5 bytes (AES, CMAC)",
		presence: "- - - - - - - - - - - - - - - C",
		Rule:     "With tag 0B.",
		put:      putBytes(func(p *Private) *[]byte { return &p.KCV }), get: getBytes(func(p *Private) *[]byte { return &p.KCV })},
	{Tag: 0x0D, Name: "batch totals", Min: 54, Max: 54, Format: "batch (4), currency (2, BCD), then credits, credit reversals, debits, debit reversals: count (4) and sum in minor units (8) each",
		presence: "- - - - - - - - - - M O M O - -",
		Rule:     "One currency for each message. In an answer with DE 39 = 95: the host's totals.",
		put:      putTotals, get: getTotals},
	{Tag: 0x0E, Name: "parameter request", Min: 9, Max: 9, Format: "set (1), version (4, 0 is the newest), offset (4)",
		presence: "- - - - - - - - - - - - - - C -",
		Rule:     "Required in a parameter download (DE 70 = 901) and only there.",
		put:      putRequest, get: getRequest},
	{Tag: 0x0F, Name: "parameter chunk", Min: 45, Max: 45 + MaxChunk, Format: "set (1), version (4), offset (4), bytes of the whole set (4), SHA-256 of the whole set (32), data (0 to 800)",
		presence: "- - - - - - - - - - - - - - - C",
		Rule:     "Answer to a parameter download with DE 39 = 00, never together with tag 14.",
		put:      putChunk, get: getChunk},
	{Tag: 0x10, Name: "software version", Min: 1, Max: 24, Format: "printable ASCII",
		presence: "- - - - - - - - - - - - - - C -",
		Rule:     "Required in a sign-on (DE 70 = 001).",
		put:      putText(func(p *Private) *string { return &p.Software }), get: getText(func(p *Private) *string { return &p.Software })},
	{Tag: 0x11, Name: "parameter versions", Min: 5, Max: 80, Format: "set (1) and version (4) for each set",
		presence: "- - - - - - - - - - - - - - O O",
		Rule:     "Of the terminal in a sign-on; the newest ones of the host in the answer.",
		put:      putVersions, get: getVersions},
	{Tag: 0x12, Name: "capabilities", Min: 4, Max: 4, Format: "bits from the lowest: partial approval, online PIN, signature, contactless, cashback, tip, printer",
		presence: "O - O - - - - - - - - - - - O -",
		Rule:     "Without the bit for partial approval the host never answers 10.",
		put:      putCapabilities, get: getCapabilities},
	{Tag: 0x13, Name: "token", Min: 16, Max: 32, Format: "letters and digits",
		presence: "C O C O C O O O - - - - - - - -",
		Rule:     "In place of tag 06: required in a purchase by token. In an answer: the token of the card.",
		put:      putText(func(p *Private) *string { return &p.Token }), get: getToken},
	{Tag: 0x14, Name: "audit checkpoint", Min: 114, Max: 129, Format: "length of the node name (1), node, boot (8), count (8), head (32), Ed25519 signature (64)",
		presence: "- - - - - - - - - - - O - O - O",
		Rule:     "The terminal keeps the newest of each node.",
		put:      putCheckpoint, get: getCheckpoint},
	{Tag: 0x15, Name: "highest counters seen", Min: 11, Max: 52, Format: "for each key set: length (1), KSN with the highest counter",
		presence: "- - - - - - - - - - - - - - - C",
		Rule:     "Answer to a sign-on, for each key set that has been used. A terminal that is below skips forward, never back.",
		put:      putHighest, get: getHighest},
	{Tag: 0x16, Name: "queue depths", Min: 6, Max: 6, Format: "waiting reversals (2), advices (2), with the operators (2)",
		presence: "- - - - - - - - - - O - O - O -",
		put:      putQueues, get: getQueues},
	{Tag: 0x17, Name: "upload position", Min: 12, Max: 12, Format: "batch (4), index from 1 (4), count (4)",
		presence: "- - - - - - M - - - - - - - - -",
		put:      putUpload, get: getUpload},
	{Tag: 0x18, Name: "confirmed attempts", Min: 16, Max: 128, Format: "1 to 8 attempt ids",
		presence: "O - O - O - O - O - O - O - O -",
		Rule:     "Approvals that the terminal has completed. Approvals that no message confirms age in the host's settlement.",
		put:      putConfirmed, get: getConfirmed},
}

// tagOf finds the row of a tag, nil when the table has none.
func tagOf(tag byte) *Tag {
	i, ok := slices.BinarySearchFunc(tags, tag, func(t Tag, tag byte) int { return int(t.Tag) - int(tag) })
	if !ok {
		return nil
	}
	return &tags[i]
}

// Tags returns the table of DE 63 tags, a copy.
func Tags() []Tag { return slices.Clone(tags) }
