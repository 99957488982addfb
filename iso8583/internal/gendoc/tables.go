package main

import (
	"fmt"
	"strings"

	"tallystick.example/iso8583"
)

func flowTable() string {
	t := newTable("request", "repeat", "answer", "class", "name", "rule")
	for _, f := range iso8583.Flows() {
		repeat := "none"
		if f.Repeat != 0 {
			repeat = f.Repeat.String()
		}
		t.row(f.Request.String(), repeat, f.Answer.String(), f.Class.String(), f.Name, f.Rule)
	}
	return t.String()
}

func transactionTable() string {
	t := newTable("transaction", "MTI", "DE 3", "DE 25", "original (DE 37, 90)", "amount (DE 4, 49)", "unanswered: reverse", "rule")
	for _, r := range iso8583.Transactions() {
		t.row(r.Name, r.MTI.String(), r.Processing+"xxxx", r.Condition, word(r.Original), yes(r.Amount), reverseWord(r), r.Rule)
	}
	return t.String()
}

func reverseWord(r iso8583.Transaction) string {
	if r.MTI.Class() == iso8583.ClassAdvice {
		return "no: repeat"
	}
	return yes(r.Reverse)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func word(p iso8583.Presence) string {
	switch p {
	case iso8583.Mandatory:
		return "required"
	case iso8583.Optional:
		return "optional"
	}
	return "refused"
}

// format writes the attribute of an element in the words of ISO 8583.
func format(e iso8583.Element) string {
	unit := map[string]string{"b": " bytes", "x+n": " bytes"}[e.Format]
	switch e.Prefix {
	case 2:
		return fmt.Sprintf("%s, LLVAR, at most %d%s", e.Format, e.Length, unit)
	case 3:
		return fmt.Sprintf("%s, LLLVAR, at most %d%s", e.Format, e.Length, unit)
	}
	return fmt.Sprintf("%s %d%s", e.Format, e.Length, unit)
}

func elementTable() string {
	t := newTable("DE", "name", "format", "rule")
	for _, e := range iso8583.Elements() {
		if e.Used() {
			t.row(fmt.Sprint(e.DE), e.Name, format(e), e.Rule)
		}
	}
	return t.String()
}

func unusedTable() string {
	t := newTable("DE", "name", "format", "note")
	for _, e := range iso8583.Elements() {
		if !e.Used() {
			t.row(fmt.Sprint(e.DE), e.Name, format(e), e.Rule)
		}
	}
	return t.String()
}

func tagTable() string {
	t := newTable("tag", "name", "bytes", "value", "rule")
	for _, r := range iso8583.Tags() {
		size := fmt.Sprint(r.Min)
		if r.Max != r.Min {
			size += " to " + fmt.Sprint(r.Max)
		}
		t.row(fmt.Sprintf("%02X", r.Tag), r.Name, size, r.Format, r.Rule)
	}
	return t.String()
}

// messageTables gives each flow the table of its elements and tags.
func messageTables() string {
	var b strings.Builder
	for _, f := range iso8583.Flows() {
		if f.Request == iso8583.ReversalRequest {
			continue // the same columns as 0420, as the heading there says
		}
		types := f.Request.String()
		if f.Repeat != 0 {
			types += ", " + f.Repeat.String()
		}
		note := ""
		if f.Request == iso8583.ReversalAdvice {
			note = " 0400, 0401 and 0410 have the same table."
		}
		fmt.Fprintf(&b, "### %s and %s: %s\n\n%s%s\n\n%s\n\n", types, f.Answer, f.Name, f.Rule, note, messageTable(f))
	}
	return strings.TrimRight(b.String(), "\n")
}

func messageTable(f iso8583.Flow) string {
	t := newTable("element", "name", f.Request.String(), f.Answer.String())
	for _, e := range iso8583.Elements() {
		q, a := e.Presence(f.Request), e.Presence(f.Answer)
		if q != iso8583.Never || a != iso8583.Never {
			t.row(fmt.Sprintf("DE %d", e.DE), e.Name, string(q), string(a))
		}
		if e.DE != 63 {
			continue
		}
		for _, r := range iso8583.Tags() {
			q, a := r.Presence(f.Request), r.Presence(f.Answer)
			if q != iso8583.Never || a != iso8583.Never {
				t.row(fmt.Sprintf("63 tag %02X", r.Tag), r.Name, string(q), string(a))
			}
		}
	}
	return t.String()
}

func codeTable() string {
	t := newTable("DE 39", "meaning", "0110, 0210", "reverse", "0230, 0330", "0410, 0430", "0510", "0530", "0810")
	for _, r := range iso8583.ResponseCodes() {
		after, _ := iso8583.ActionFor(iso8583.ReconcileAdviceAnswer, r.Code)
		t.row(r.Code, r.Meaning, r.Payment.String(), yes(r.Reverse), r.Advice.String(), r.Reversal.String(), r.Reconcile.String(), after.String(), r.Network.String())
	}
	return t.String()
}

func entryTable() string {
	t := newTable("digits 1 and 2", "entry mode", "chip data in DE 55")
	for _, e := range iso8583.EntryModes() {
		t.row(e.Code, e.Name, yes(e.Chip))
	}
	p := newTable("digit 3", "PIN capability")
	for _, c := range iso8583.PINCapabilities() {
		p.row(c.Code, c.Name)
	}
	return t.String() + "\n\n" + p.String()
}

func networkTable() string {
	t := newTable("DE 70", "name", "rule")
	for _, n := range iso8583.NetworkCodes() {
		t.row(n.Code, n.Name, n.Rule)
	}
	return t.String()
}

func reasonTable() string {
	t := newTable("reason", "meaning")
	for _, r := range iso8583.ReversalReasons() {
		t.row(fmt.Sprintf("%02X", byte(r.Reason)), r.Name)
	}
	return t.String()
}

func forbiddenTags() string {
	var s []string
	for _, tag := range iso8583.ForbiddenChipTags() {
		s = append(s, fmt.Sprintf("%X", tag))
	}
	return strings.Join(s, " ")
}
