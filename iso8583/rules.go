package iso8583

// values checks the elements whose digits mean something by themselves. Those that
// an answer echoes are the request's: a terminal holds them against its request
// ([Matches]), and must be able to take the refusal of a bad one.
func (v *check) values() *RuleError {
	m := v.m
	if m.Has(4) != m.Has(49) {
		return format(49, "amount and currency go together")
	}
	if list, ok := m.AdditionalAmounts(); !ok || len(list) > 6 {
		return format(54, "the additional amounts are malformed")
	}
	if code, _ := ResponseCodeOf(m.ResponseCode()); m.Has(4) && m.Number(4) == 0 && (v.d == ToHost || code.Payment == Approve) {
		return &RuleError{DE: 4, Code: "13", Reason: "the amount is zero"}
	}
	if v.d == ToTerminal {
		return nil
	}
	if m.Number(11) == 0 {
		return format(11, "the STAN is zero")
	}
	if t := m.Digits(7); !dateOK(t[:4]) || !timeOK(t[4:]) {
		return format(7, "no such date or time")
	}
	if m.Has(12) && !timeOK(m.Digits(12)) {
		return format(12, "no such time")
	}
	if m.Has(13) && !dateOK(m.Digits(13)) {
		return format(13, "no such date")
	}
	if m.Has(22) {
		if _, ok := EntryModeOf(m.Digits(22)); !ok {
			return format(22, "the entry mode is not in the table")
		}
	}
	if m.Has(26) && (m.Number(26) < 4 || m.Number(26) > 12) {
		return format(26, "no such PIN length")
	}
	return nil
}

// dateOK reports whether MMDD is a day of a leap year.
func dateOK(s string) bool {
	days := [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	month, day := two(s), two(s[2:])
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month-1]
}

// timeOK reports whether hhmmss is a time of day.
func timeOK(s string) bool { return two(s) < 24 && two(s[2:]) < 60 && two(s[4:]) < 60 }

func two(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

// transaction checks what the table of transaction types asks for.
func (v *check) transaction() *RuleError {
	m := v.m
	if v.d != ToHost || !m.Has(25) {
		return nil
	}
	t, ok := m.Transaction()
	if !ok {
		return &RuleError{DE: 3, Code: "12", Reason: "no such transaction type"}
	}
	if t.Amount != m.Has(4) {
		return format(4, "the transaction type and the amount do not fit")
	}
	stored := m.mti.Class() == ClassReversal || m.mti.Request() == UploadAdvice
	if o, has := m.Original(); has {
		if o.MTI.IsAnswer() || !o.MTI.Known() {
			return format(90, "the original is of no message type that can be referred to")
		}
		if o.STAN == "000000" {
			return format(90, "the STAN of the original is zero")
		}
	}
	if r, has := m.Replacement(); has && (r == 0 || r >= m.Number(4)) {
		return format(95, "what remains is not between zero and the amount")
	}
	if stored {
		return nil
	}
	for _, de := range [...]int{37, 90} {
		switch {
		case t.Original == Mandatory && !m.Has(de):
			return format(de, "the reference to the original is missing")
		case t.Original == Never && m.Has(de):
			return format(de, "the transaction type has no original")
		}
	}
	return v.amounts(t)
}

// amounts checks the parts of DE 4 that DE 54 names.
func (v *check) amounts(t Transaction) *RuleError {
	want := ""
	switch t.Type {
	case PurchaseCashback, OfflineCashback:
		want = AmountCashback
	case TipAdjustment:
		want = AmountTip
	}
	list, _ := v.m.AdditionalAmounts() // malformed ones were refused before
	found := want == ""
	for _, a := range list {
		if a.Amount.Minor > v.m.Number(4) || int64(a.Amount.Currency) != v.m.Number(49) {
			return format(54, "an additional amount is no part of the amount")
		}
		found = found || a.Type == want
	}
	if !found {
		return format(54, "the additional amount of the transaction type is missing")
	}
	return nil
}

// refers reports whether m names an original whose card the host knows.
func (v *check) refers() bool { return v.m.Has(90) || !v.p.OriginalAttemptID.IsZero() }

// card checks encrypted card data, token and their KSN.
func (v *check) card() *RuleError {
	has := v.p.CardData.IV != nil
	if has != (v.p.DataKSN != nil) {
		return tagError(0x05, "card data and their KSN go together")
	}
	if has && len(v.p.CardData.IV) != blockOf(v.p.DataKSN) {
		return tagError(0x06, "the IV does not fit the scheme of the KSN")
	}
	if v.d != ToHost || v.m.mti.Class() != ClassPayment && v.m.mti.Request() != FinancialAdvice {
		return nil
	}
	t, _ := v.m.Transaction()
	mode, _ := EntryModeOf(v.m.Digits(22))
	if (t.Type == TokenPurchase) != (mode.Code == "10") && !v.refers() {
		return format(22, "entry mode and transaction type do not fit")
	}
	switch {
	case t.Type == TokenPurchase && v.p.Token == "":
		return tagError(0x13, "the token is missing")
	case has && v.p.Token != "":
		return tagError(0x13, "card data and token do not go together")
	case !has && v.p.Token == "" && !v.refers():
		return tagError(0x06, "the card data are missing")
	}
	return nil
}

// blockOf is the block size of the cipher of a DUKPT scheme.
func blockOf(ksn []byte) int {
	if len(ksn) == 12 {
		return 16
	}
	return 8
}

// pin checks PIN blocks and their KSN.
func (v *check) pin() *RuleError {
	des, aes := v.m.Has(52), !v.p.PINBlock.IsZero()
	switch {
	case des && aes:
		return tagError(0x07, "there are two PIN blocks")
	case (des || aes) != (v.p.PINKSN != nil):
		return tagError(0x04, "PIN block and its KSN go together")
	case aes && len(v.p.PINKSN) != 12:
		return tagError(0x04, "a 16-byte PIN block needs an AES KSN")
	case des && len(v.p.PINKSN) != 10:
		return tagError(0x04, "an 8-byte PIN block needs a TDES KSN")
	}
	return nil
}

// chip checks DE 55 and its place.
func (v *check) chip() *RuleError {
	m := v.m
	if c := m.content(55); c != nil {
		if err := checkChip(c, v.d, 55, 0); err != nil {
			return err
		}
	}
	if v.d != ToHost || m.mti.Class() != ClassPayment && m.mti.Request() != FinancialAdvice {
		return nil
	}
	mode, _ := EntryModeOf(m.Digits(22))
	if m.Has(55) && !mode.Chip {
		return format(55, "the entry mode has no chip data")
	}
	if mode.Chip && v.p.CardData.IV != nil && !m.Has(55) {
		return format(55, "the chip data are missing")
	}
	return nil
}

// network checks what DE 70 asks for.
func (v *check) network() *RuleError {
	m := v.m
	if m.mti.Class() != ClassNetwork {
		return nil
	}
	code := m.Digits(70)
	known := false
	for _, n := range networkCodes {
		known = known || n.Code == code
	}
	if !known {
		return &RuleError{DE: 70, Code: "40", Reason: "no such network management code"}
	}
	done := m.ResponseCode() == "00"
	for _, r := range [...]struct {
		tag      byte
		code     string
		required bool
	}{
		{0x10, SignOn, v.d == ToHost},
		{0x0E, ParameterDownload, v.d == ToHost},
		{0x0F, ParameterDownload, v.d == ToTerminal && done},
		{0x0B, KeyExchange, v.d == ToTerminal && done},
		{0x15, SignOn, false},
	} {
		switch has := v.has(r.tag); {
		case has && code != r.code:
			return tagError(r.tag, "the tag does not belong to this network management code")
		case !has && r.required && code == r.code:
			return tagError(r.tag, "the tag is missing")
		}
	}
	if !m.isEcho() && !m.Has(63) {
		return format(63, "the element is missing")
	}
	return nil
}

// answer checks what an approval must hold.
func (v *check) answer() *RuleError {
	m := v.m
	if v.d != ToTerminal || m.mti.Class() != ClassPayment {
		return nil
	}
	r, _ := ResponseCodeOf(m.ResponseCode())
	kind := m.Digits(3)[:2]
	if r.Payment == Approve && !m.Has(38) && kind != "31" && kind != "02" {
		return format(38, "an approval without authorization code")
	}
	return nil
}
