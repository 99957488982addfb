package oda

import "fmt"

// A Step is a part of offline data authentication that can fail.
type Step string

// The steps, in the order in which they are taken.
const (
	StepCAKey       Step = "ca_key"
	StepIssuer      Step = "issuer_certificate"
	StepStatic      Step = "static_signature"
	StepICC         Step = "icc_certificate"
	StepPINKey      Step = "pin_certificate"
	StepDynamic     Step = "dynamic_signature"
	StepTransaction Step = "transaction_data_hash"
	StepPIN         Step = "pin_encipherment"
)

// An Error says which check of which step failed. It holds no data of the card.
type Error struct {
	Step   Step
	Clause string // of EMV 4.4: "B2 6.4 step 7"
	Check  string // what is wrong: "the hash differs"
	// Missing tells that an object which the certificate makes necessary was not
	// given: the remainder of a key (B3 7.2).
	Missing bool
}

// Error says what failed and against which clause.
func (e *Error) Error() string {
	return fmt.Sprintf("oda: %s: %s (%s)", e.Step, e.Check, e.Clause)
}

// fails is the error of a check. clause is completed by the caller's step number.
func fails(step Step, clause, check string) *Error {
	return &Error{Step: step, Clause: clause, Check: check}
}
