package kernel

// A Step is what the kernel reports while it runs: which step of the standard,
// what was decided and why. It holds no data of the cardholder.
type Step struct {
	Name     string // "processing restrictions"
	Clause   string // "B3 10.4"
	Decision string // "service not allowed"
	Reason   string // "TVR B2b5: Application Usage Control does not allow cash"
}

// observe reports a step when somebody wants to know.
func (c Callbacks) observe(name, clause, decision, reason string) {
	if c.Observe != nil {
		c.Observe(Step{Name: name, Clause: clause, Decision: decision, Reason: reason})
	}
}
