package kernel

import (
	"fmt"

	"tallystick.example/emv"
)

// Authorisation Response Codes that a terminal makes itself (B4 Annex A6).
const (
	arcOfflineApproved = "Y1"
	arcOfflineDeclined = "Z1"
	arcUnableApproved  = "Y3"
	arcUnableDeclined  = "Z3"
)

// A Decision is the result of terminal action analysis.
type Decision struct {
	Cryptogram emv.Cryptogram // to ask the card for
	ARC        string         // tag 8A of an offline decision, empty for ARQC
	Why        string         // the bit that decided, for the trace
}

// Analyze is terminal action analysis (B3 10.7): denial first, then online, then
// default. Issuer codes that are nil are zeros for denial and ones for online
// and default; terminal codes that are nil are zeros. With unable the decision
// is that after going online has failed, for the second GENERATE AC.
//
// A terminal without offline capability goes online with everything that is not
// denied, and declines when it cannot.
func Analyze(tvr [5]byte, issuer, terminal ActionCodes, connection emv.Connection, unable bool) Decision {
	if unable {
		return analyzeDefault(tvr, issuer, terminal, connection, arcUnableApproved, arcUnableDeclined)
	}
	if bit, hit := firstHit(tvr, orZeros(issuer.Denial), orZeros(terminal.Denial)); hit {
		return Decision{emv.AAC, arcOfflineDeclined, "denial: " + bit}
	}
	switch connection {
	case emv.OnlineOnly:
		return Decision{emv.ARQC, "", "the terminal is online only"}
	case emv.OfflineOnly:
		return analyzeDefault(tvr, issuer, terminal, connection, arcOfflineApproved, arcOfflineDeclined)
	}
	if bit, hit := firstHit(tvr, orOnes(issuer.Online), orZeros(terminal.Online)); hit {
		return Decision{emv.ARQC, "", "online: " + bit}
	}
	return Decision{emv.TC, arcOfflineApproved, "no action code is hit"}
}

func analyzeDefault(tvr [5]byte, issuer, terminal ActionCodes, connection emv.Connection, yes, no string) Decision {
	if connection == emv.OnlineOnly {
		return Decision{emv.AAC, no, "the terminal is online only"}
	}
	if bit, hit := firstHit(tvr, orOnes(issuer.Default), orZeros(terminal.Default)); hit {
		return Decision{emv.AAC, no, "default: " + bit}
	}
	return Decision{emv.TC, yes, "no default action code is hit"}
}

// firstHit finds the first bit of tvr that one of the codes has too.
func firstHit(tvr [5]byte, issuer, terminal []byte) (string, bool) {
	for _, bit := range emv.Bits(tvr[:]) {
		who := "issuer"
		if !bit.In(issuer) {
			if !bit.In(terminal) {
				continue
			}
			who = "terminal"
		}
		return fmt.Sprintf("%v of the %s: %s", bit, who, bit.Name(emv.TagTVR)), true
	}
	return "", false
}

func orZeros(code []byte) []byte {
	if len(code) != 5 {
		return make([]byte, 5)
	}
	return code
}

func orOnes(code []byte) []byte {
	if len(code) != 5 {
		return []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	}
	return code
}

// issuerCodes are the Issuer Action Codes among tags.
func issuerCodes(tags emv.Getter) ActionCodes {
	var c ActionCodes
	c.Denial, _ = tags.Get(emv.TagIACDenial)
	c.Online, _ = tags.Get(emv.TagIACOnline)
	c.Default, _ = tags.Get(emv.TagIACDefault)
	return c
}
