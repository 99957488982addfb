//go:build !(386 || arm || mips || mipsle)

package iso8583

import (
	"reflect"
	"testing"
)

// TestTableAndSpecificationAreOneLayout: terminals with 32 bits make their
// layout from the table, all others from the specification.
func TestTableAndSpecificationAreOneLayout(t *testing.T) {
	table, spec := tableLayout(), declared()
	if len(table.Fields) != len(spec.Fields) || len(table.Fields) < 100 {
		t.Fatalf("%d fields from the table, %d from the specification", len(table.Fields), len(spec.Fields))
	}
	for de, want := range spec.Fields {
		if got := table.Fields[de]; !reflect.DeepEqual(got, want) {
			t.Errorf("DE %d: %+v from the table, %+v from the specification", de, got, want)
		}
	}
	table.Fields, spec.Fields = nil, nil
	if !reflect.DeepEqual(table, spec) {
		t.Errorf("%+v from the table, %+v from the specification", table, spec)
	}
}
