// Package score gives every authorization a score from 0 to 999 with reasons
// before it is decided, from what was known at that moment and nothing else.
//
// It holds the operators' own rules ([Rules]: named, versioned, in an expression
// language over the typed [Features]) and the exact velocity counters
// ([Count]) that are read and changed in the commit that decides (rule 9 of the
// tally). The feature vector and the version of the rules are stored with each
// decision, so that explaining one never means computing it again.
package score
