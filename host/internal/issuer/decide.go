package issuer

import (
	"errors"
	"fmt"

	"tallystick.example/host/internal/store"
	"tallystick.example/internal/hsm/api"
)

// AcquirerAccount is where the issuer books what it owes acquirers.
const AcquirerAccount = "due:acquirer"

// decide is the second commit.
func decide(tx *store.Tx, req Request, f findings, authCode string) (Response, error) {
	a, err := lockAuthorization(tx, req.Key)
	if err != nil {
		return Response{}, err
	}
	c, err := readCard(tx.Lock, req.Token)
	if err != nil {
		return Response{}, err
	}
	if err := closeTry(tx, openTry{req.Key.String(), c.token, a.pinEpoch}, c, f.PIN); err != nil {
		return Response{}, err
	}
	if a.state != statePending {
		return a.response(), nil // a reversal was quicker, or a second run of this request
	}
	r := Response{PIN: f.PIN, Cryptogram: f.Cryptogram, CardCode: f.CardCode}
	r.Code, r.Why = judge(c, req, f)
	if r.Code == "" {
		if r.Code, r.Why, err = checkCryptogram(tx, c, req, f); err != nil {
			return Response{}, err
		}
	}
	if r.Code == "" {
		if r.Code, r.Why, err = debit(tx, c, req); err != nil {
			return Response{}, err
		}
	}
	state := stateDeclined
	if r.Code == codeApproved {
		r.Approved, r.AuthCode, state = true, authCode, stateApproved
	}
	return r, writeDecision(tx, req.Key, state, r, req.At)
}

// judge looks at the verdicts; an empty code means that they allow approval.
func judge(c card, req Request, f findings) (code, why string) {
	chip := chipEntry(req.Entry)
	switch {
	case f.code != "":
		return f.code, f.why
	case !f.ReferenceOK:
		return codeFault, "the reference record does not fit the card"
	case req.HasPIN && c.pvkName == "":
		return codeNotPermitted, "the card has no PIN"
	case f.PIN == api.PINBlocked:
		return codePINTries, "the boundary's brake on wrong PINs"
	case f.Cryptogram == api.CryptogramWrong:
		return codeCryptogram, "wrong cryptogram"
	case f.PIN == api.PINWrong:
		return codePINWrong, "wrong PIN"
	case f.CardCode == api.CardCodeWrong:
		return codeCryptogram, "wrong card verification value"
	case chip && f.Cryptogram != api.CryptogramRight:
		return codeDoNotHonour, "a chip entry without cryptogram"
	case !chip && f.PIN != api.PINRight && f.CardCode != api.CardCodeRight:
		return codeDoNotHonour, "neither PIN nor card verification value proves the card"
	}
	return "", ""
}

// chipEntry reports whether DE 22 says that the chip was read.
func chipEntry(de22 string) bool {
	return len(de22) == 3 && (de22[:2] == "05" || de22[:2] == "07" || de22[:2] == "95")
}

// checkCryptogram holds a right cryptogram against those that came before: its
// counter is above the highest, and (card, PSN, ATC, cryptogram) is new.
func checkCryptogram(tx *store.Tx, c card, req Request, f findings) (code, why string, err error) {
	if f.Cryptogram != api.CryptogramRight {
		return "", "", nil
	}
	n, err := tx.Exec(`INSERT INTO cryptogram_seen (token, psn, atc, cryptogram, key) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (token, psn, atc, cryptogram) DO NOTHING`, c.token, c.psn, int64(req.ATC), req.Cryptogram, req.Key.String())
	if err != nil {
		return "", "", fmt.Errorf("remembering a cryptogram: %w", err)
	}
	if n == 0 {
		return codeDoNotHonour, "cryptogram used before", nil
	}
	if int64(req.ATC) <= c.highestATC {
		return codeDoNotHonour, "transaction counter of the card went back", nil
	}
	if _, err := tx.Exec(`UPDATE card SET highest_atc = $1 WHERE token = $2`, int64(req.ATC), c.token); err != nil {
		return "", "", fmt.Errorf("raising the ATC: %w", err)
	}
	return "", "", nil
}

// debit takes the amount from the account, or says why not.
func debit(tx *store.Tx, c card, req Request) (code, why string, err error) {
	acc, err := lockAccount(tx, c.account)
	if err != nil {
		return "", "", err
	}
	switch {
	case acc.status != accountOpen:
		return codeRestricted, "account closed", nil
	case acc.currency != req.Currency:
		return codeNotPermitted, "the account has another currency", nil
	case acc.balance+acc.creditLimit < req.Amount:
		return codeFunds, "not sufficient funds", nil
	}
	if err := ensureAccount(tx, AcquirerAccount+":"+currencyText(req.Currency), req.Currency, req.At); err != nil {
		return "", "", err
	}
	err = move(tx, movement{id: req.Key.String() + "/debit", from: c.account, to: AcquirerAccount + ":" + currencyText(req.Currency),
		minor: req.Amount, currency: req.Currency, rrn: req.Key.RRN, at: req.At})
	if err != nil {
		return "", "", err
	}
	return codeApproved, "", nil
}

// errBook means that the book contradicts itself; nothing is decided on it.
var errBook = errors.New("issuer: the book contradicts itself")
