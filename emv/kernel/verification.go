package kernel

import (
	"context"
	"fmt"
	"io"

	"tallystick.example/emv"
	"tallystick.example/emv/oda"
)

const stepVerify = "cardholder verification"

// A Verification is cardholder verification (B3 10.5, B4 6.3.4) as a step of its
// own, for a card whose AIP says that it supports it.
type Verification struct {
	List         []byte // 8E, nil when the card has none
	Kind         Kind
	Amount       int64 // minor units
	Currency     int   // of the transaction, ISO 4217 numeric
	AppCurrency  int   // 9F42, 0 when the card has none
	Capabilities [3]byte
	BypassAll    bool // a PIN bypassed once counts for every PIN that follows

	Card Card // for GET DATA, GET CHALLENGE and VERIFY
	Info *CardInfo
	Ask  Callbacks // OnlinePIN, OfflinePIN, Observe

	// PINKey gives the key for an enciphered offline PIN; ok is false when the card
	// has none that can be trusted. Random pads the PIN (B2 7).
	PINKey func() (key oda.PublicKey, ok bool)
	Random io.Reader
}

// A Verified is what cardholder verification ends with.
type Verified struct {
	Results   emv.CVMResults
	TVR       []emv.Bit // to be set
	Performed bool      // TSI B1b7
	Signature bool      // a signature is to be taken
}

// attempt is how one method ended.
type attempt int

const (
	succeeded   attempt = iota
	failed              // performed without success
	unsupported         // not performed: the terminal cannot
)

// notPerformed is 3F0000: there was nothing to perform (B4 Annex A4).
var notPerformed = emv.CVMResults{CVMRule: emv.CVMRule{Code: emv.CVMNotPerformed}, Outcome: emv.CVMUnknown}

// Run goes through the list. An error ends the transaction: the card is lost or
// broke the protocol, or a callback wants the end.
func (v Verification) Run(ctx context.Context) (Verified, error) {
	list, err := emv.ParseCVMList(v.List)
	if err != nil && len(v.List) > 0 {
		return Verified{}, &Error{Reason: CardError, Step: stepVerify, Clause: "B3 7.5", Text: "the CVM list is malformed", Err: err}
	}
	if len(list.Rules) == 0 {
		v.Ask.observe(stepVerify, "B3 10.5", "not performed", "the card has no CVM list")
		return Verified{Results: notPerformed, TVR: []emv.Bit{emv.TVRICCDataMissing}}, nil
	}
	run := verifying{Verification: v, list: list, last: emv.CVMResults{
		CVMRule: emv.CVMRule{Code: emv.CVMNotPerformed}, Outcome: emv.CVMFailed}}
	for _, rule := range list.Rules {
		if !run.applies(rule) {
			v.Ask.observe(stepVerify, "B3 10.5", fmt.Sprintf("%v skipped", rule.Code), rule.Condition.String())
			continue
		}
		end, err := run.try(ctx, rule)
		if err != nil {
			return Verified{}, err
		}
		if end == succeeded {
			return run.verified(), nil
		}
		if !rule.Code.ContinueIfFailed() {
			break
		}
	}
	run.tvr = append(run.tvr, emv.TVRCVMFailed)
	v.Ask.observe(stepVerify, "B3 10.5", "failed", run.last.String())
	return run.verified(), nil
}

// verifying is one run through a list.
type verifying struct {
	Verification
	list      emv.CVMList
	last      emv.CVMResults // of the method performed last
	tvr       []emv.Bit
	signature bool
	bypassed  bool // a PIN has been bypassed
}

func (r *verifying) verified() Verified {
	return Verified{Results: r.last, TVR: r.tvr, Performed: true, Signature: r.signature}
}

// applies tests the condition of a rule, which comes before its method (B3 10.5).
// Amounts count in the application currency only, and equal is neither under nor
// over. An unknown condition is not satisfied.
func (r *verifying) applies(rule emv.CVMRule) bool {
	same := r.AppCurrency != 0 && r.Currency == r.AppCurrency
	switch rule.Condition {
	case emv.CVMAlways:
		return true
	case emv.CVMUnattendedCash:
		return r.Kind == UnattendedCash
	case emv.CVMNotCash:
		return !r.Kind.Cash() && r.Kind != PurchaseWithCashback
	case emv.CVMIfSupported:
		return r.supports(rule.Code)
	case emv.CVMManualCash:
		return r.Kind == ManualCash
	case emv.CVMCashback:
		return r.Kind == PurchaseWithCashback
	case emv.CVMUnderX:
		return same && r.Amount < int64(r.list.X)
	case emv.CVMOverX:
		return same && r.Amount > int64(r.list.X)
	case emv.CVMUnderY:
		return same && r.Amount < int64(r.list.Y)
	case emv.CVMOverY:
		return same && r.Amount > int64(r.list.Y)
	}
	return false
}

// needs are the capabilities that each method wants.
var needs = map[emv.CVMCode][]emv.Bit{
	emv.CVMFail:                   {},
	emv.CVMPlaintextPIN:           {emv.CapPlaintextPIN},
	emv.CVMOnlinePIN:              {emv.CapOnlinePIN},
	emv.CVMPlaintextPINSignature:  {emv.CapPlaintextPIN, emv.CapSignature},
	emv.CVMEncipheredPIN:          {emv.CapEncipheredPIN},
	emv.CVMEncipheredPINSignature: {emv.CapEncipheredPIN, emv.CapSignature},
	emv.CVMSignature:              {emv.CapSignature},
	emv.CVMNone:                   {emv.CapNoCVM},
}

// supports reports whether the method is known and the terminal can do it.
func (r *verifying) supports(code emv.CVMCode) bool {
	wants, known := needs[code.Method()]
	for _, bit := range wants {
		if !bit.In(r.Capabilities[:]) {
			return false
		}
	}
	return known
}

// try performs the method of a rule whose condition is satisfied.
func (r *verifying) try(ctx context.Context, rule emv.CVMRule) (attempt, error) {
	if _, known := needs[rule.Code.Method()]; !known {
		r.tvr = append(r.tvr, emv.TVRCVMUnrecognised)
		r.Ask.observe(stepVerify, "B3 10.5", "unrecognised CVM", rule.Code.String())
		return unsupported, nil
	}
	outcome, end, err := r.method(ctx, rule.Code)
	if err != nil {
		return end, err
	}
	if end == unsupported {
		r.Ask.observe(stepVerify, "B3 10.5", "unsupported CVM", rule.Code.String())
		return end, nil
	}
	if end == failed {
		outcome = emv.CVMFailed
	}
	r.last = emv.CVMResults{CVMRule: rule, Outcome: outcome}
	r.Ask.observe(stepVerify, "B3 10.5", r.last.Outcome.String(), rule.Code.String())
	return end, nil
}

// method performs code and says what byte 3 of the CVM Results becomes on success.
func (r *verifying) method(ctx context.Context, code emv.CVMCode) (emv.CVMOutcome, attempt, error) {
	if !r.supports(code) {
		wants := needs[code.Method()]
		pin := wants[0] != emv.CapSignature && wants[0] != emv.CapNoCVM
		if pin && !wants[0].In(r.Capabilities[:]) {
			r.tvr = append(r.tvr, emv.TVRPINPadFault) // B3 10.5.1, 10.5.2
		}
		return 0, unsupported, nil
	}
	switch code.Method() {
	case emv.CVMNone:
		return emv.CVMSuccessful, succeeded, nil
	case emv.CVMSignature:
		r.signature = true
		return emv.CVMUnknown, succeeded, nil
	case emv.CVMOnlinePIN:
		end, err := r.onlinePIN(ctx)
		return emv.CVMUnknown, end, err
	case emv.CVMPlaintextPIN, emv.CVMEncipheredPIN:
		end, err := r.offlinePIN(ctx, code.Method() == emv.CVMEncipheredPIN)
		return emv.CVMSuccessful, end, err
	case emv.CVMPlaintextPINSignature, emv.CVMEncipheredPINSignature:
		end, err := r.offlinePIN(ctx, code.Method() == emv.CVMEncipheredPINSignature)
		r.signature = end == succeeded
		return emv.CVMUnknown, end, err
	}
	return 0, failed, nil // fail CVM processing
}

// capabilities are those of the terminal less what nobody would perform: what
// the card is told must be true.
func capabilities(cfg *Config, app Application, ask Callbacks) [3]byte {
	caps := cfg.Capabilities
	off := func(when bool, bits ...emv.Bit) {
		for _, b := range bits {
			if when {
				b.Clear(caps[:])
			}
		}
	}
	off(ask.OnlinePIN == nil, emv.CapOnlinePIN)
	off(ask.OfflinePIN == nil, emv.CapPlaintextPIN, emv.CapEncipheredPIN)
	off(cfg.CAKeys == nil, emv.CapEncipheredPIN, emv.CapSDA, emv.CapDDA, emv.CapCDA)
	off(app.WithoutPlaintextPIN, emv.CapPlaintextPIN)
	off(app.WithoutEncipheredPIN, emv.CapEncipheredPIN)
	off(app.WithoutSDA, emv.CapSDA)
	return caps
}
