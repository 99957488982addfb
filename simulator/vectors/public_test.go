package vectors_test

import (
	"slices"
	"testing"

	"tallystick.example/simulator/vectors"
	"tallystick.example/testvectors"
)

// pending are the embedded topics that still have operations without a
// function. A topic that runs whole must leave the list.
var pending = []string{"hsm_payshield", "reader_abecs"}

// TestPublicTopics runs every embedded case: none may fail, and none may be
// skipped outside of the pending topics.
func TestPublicTopics(t *testing.T) {
	known := vectors.Operations()
	report, err := vectors.Run(t.Context(), nil, vectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Failures {
		t.Errorf("%s %s: %s", f.File, f.ID, f.Why)
	}
	for _, topic := range testvectors.Topics() {
		f, err := testvectors.Load(topic)
		if err != nil {
			t.Fatal(err)
		}
		whole := !slices.ContainsFunc(f.Cases, func(c testvectors.Case) bool { return !slices.Contains(known, c.Op) })
		if listed := slices.Contains(pending, topic); whole == listed {
			t.Errorf("topic %s: all operations are known: %v, listed as pending: %v", topic, whole, listed)
		}
	}
}
