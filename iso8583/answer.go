package iso8583

// Answer builds the answer to req with DE 39 = rc: the elements that the table
// says are echoed, and of DE 63 the attempt id and the KSN of the MAC. The caller
// adds the rest (DE 37, 38, 55, …) and packs with [SealMAC], or with
// [PackForMAC] where the boundary seals. The error is a *RuleError when req is
// no request of the table.
//
// DE 4 of a partial approval (10) is set by the caller afterwards.
func Answer(req *Message, rc string) (*Message, error) {
	t, ok := req.mti.Answer()
	if !ok {
		return nil, &RuleError{DE: 0, Reason: "the message type has no answer"}
	}
	m := New(t)
	col := column(t)
	for i := range sortedElements {
		e := &sortedElements[i]
		if p := e.in(col); p == EchoMandatory || p == EchoIfPresent {
			m.CopyFrom(req, e.DE)
		}
	}
	m.SetText(39, rc)
	// A request whose DE 63 cannot be read still gets its refusal, without it.
	if p, err := req.Private(); err == nil {
		m.SetPrivate(Private{AttemptID: p.AttemptID, MACKSN: p.MACKSN})
	}
	return m, m.Err()
}

// Refusal builds the answer to a message of which only the identity could be
// read, such as DE 39 = 30 after an error of [Unpack]. It has no DE 63 and hence
// no MAC: the terminal takes it as no answer, and the reason is for its log. It
// reports false when the message type has no answer.
func Refusal(id Identity, rc string) (*Message, bool) {
	t, ok := id.MTI.Answer()
	if !ok {
		return nil, false
	}
	m := New(t)
	m.SetDigits(11, id.STAN)
	m.SetText(39, rc)
	m.SetText(41, id.Terminal)
	return m, m.Err() == nil
}

// Matches checks an answer against the stored request: message type, elements
// that are echoed, attempt id. The error is a *RuleError with the first
// difference; a terminal treats such an answer as none. DE 4 may be smaller when
// DE 39 is 10.
func Matches(req, ans *Message) error {
	t, ok := req.mti.Answer()
	if !ok || t != ans.mti {
		return &RuleError{DE: 0, Reason: "the answer is of another message type"}
	}
	col := column(t)
	for i := range sortedElements {
		e := &sortedElements[i]
		p := e.in(col)
		if p != EchoMandatory && p != EchoIfPresent {
			continue
		}
		if sameContent(req, ans, e.DE) {
			continue
		}
		if e.DE == 4 && ans.ResponseCode() == "10" && ans.Number(4) > 0 && ans.Number(4) < req.Number(4) {
			continue
		}
		return &RuleError{DE: e.DE, Reason: "the answer differs from the request"}
	}
	rp, err := req.Private()
	if err != nil {
		return err
	}
	ap, err := ans.Private()
	if err != nil {
		return err
	}
	if rp.AttemptID != ap.AttemptID {
		return &RuleError{DE: 63, Tag: 0x01, Reason: "the answer differs from the request"}
	}
	return nil
}

// sameContent reports whether both messages lack de, or have it with the same
// value.
func sameContent(a, b *Message, de int) bool {
	return a.Has(de) == b.Has(de) && string(a.content(de)) == string(b.content(de))
}
