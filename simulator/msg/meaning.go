package msg

import (
	"fmt"
	"strings"

	"tallystick.example/emv"
	"tallystick.example/iso8583"
)

// Parts of a message type (ISO 8583:1987 4.1, 1993 4.1, 8583-1:2003 clause 6).
var (
	mtiVersions  = map[byte]string{'0': "1987", '1': "1993", '2': "2003", '8': "national", '9': "private"}
	mtiClasses   = map[byte]string{'1': "authorization", '2': "financial", '3': "file action", '4': "reversal or chargeback", '5': "reconciliation", '6': "administrative", '7': "fee collection", '8': "network management"}
	mtiFunctions = map[byte]string{'0': "request", '1': "request response", '2': "advice", '3': "advice response", '4': "notification", '5': "notification acknowledgement", '6': "instruction", '7': "instruction acknowledgement"}
	mtiOrigins   = map[byte]string{'0': "acquirer", '1': "acquirer, repeat", '2': "issuer", '3': "issuer, repeat", '4': "other", '5': "other, repeat"}
)

// meaning says in words what a value means, where the standards do.
func (e *explainer) meaning(de int, v string) string {
	edition := e.edition()
	switch de {
	case 0:
		return mtiMeaning(v)
	case 3:
		if e.d.terminal {
			return e.transaction()
		}
		return processing(v)
	case 7:
		return parts(v, "MM-DD hh:mm:ss")
	case 12:
		return parts(v, map[int]string{6: "hh:mm:ss", 12: "YY-MM-DD hh:mm:ss", 14: "YYYY-MM-DD hh:mm:ss"}[len(v)])
	case 13:
		return parts(v, map[int]string{4: map[bool]string{true: "MM-DD", false: "YY-MM"}[edition == '0'], 6: "YYYY-MM"}[len(v)])
	case 22:
		if m, ok := iso8583.EntryModeOf(v); ok {
			return m.Name
		}
	case 39:
		if r, ok := iso8583.ResponseCodeOf(v); ok && edition == '0' {
			return r.Meaning
		}
	case 49, 50, 51:
		if c, ok := emv.LookupCurrency(strings.TrimLeft(v, " ")); ok {
			return c.Alphabetic
		}
	case 70:
		for _, n := range iso8583.NetworkCodes() {
			if n.Code == v && edition == '0' {
				return n.Name
			}
		}
	}
	return ""
}

func mtiMeaning(v string) string {
	if len(v) != 4 {
		return ""
	}
	known := []string{mtiClasses[v[1]], mtiFunctions[v[2]], mtiOrigins[v[3]], mtiVersions[v[0]]}
	for i, w := range known {
		if w == "" {
			known[i] = "unknown"
		}
	}
	return fmt.Sprintf("%s %s (%s, %s)", known[0], known[1], known[2], known[3])
}

// processingCodes are the first two digits of DE 3 (ISO 8583:1987, table A.1).
var processingCodes = map[string]string{
	"00": "goods and services", "01": "withdrawal", "02": "adjustment", "09": "goods and services with cash",
	"20": "returns", "21": "deposit", "22": "adjustment", "30": "available funds inquiry", "31": "balance inquiry",
	"40": "transfer",
}

func processing(v string) string {
	if len(v) != 6 {
		return ""
	}
	return processingCodes[v[:2]]
}

// transaction names the transaction of a message of the terminal interface.
func (e *explainer) transaction() string {
	m, err := iso8583.Unpack(e.raw)
	if err != nil {
		return ""
	}
	t, _ := m.Transaction()
	return t.Name
}

// parts puts digits into a pattern whose letters stand for one digit each.
func parts(digits, pattern string) string {
	letters := 0
	for _, c := range pattern {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			letters++
		}
	}
	if letters != len(digits) || letters == 0 {
		return ""
	}
	out, next := []byte(pattern), 0
	for i, c := range out {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			out[i] = digits[next]
			next++
		}
	}
	return string(out)
}
