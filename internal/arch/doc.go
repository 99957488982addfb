// Package arch holds only a test: who may import whom in this module, with the
// reasons (rules_test.go). A change of a rule is a change of the architecture
// and is reviewed as one.
package arch
