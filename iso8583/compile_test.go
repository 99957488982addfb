//go:build !(386 || arm || mips || mipsle)

package iso8583

import "testing"

// TestTableAndSpecificationAreOneCodec: terminals with 32 bits make their codec
// from the table, all others from the specification.
func TestTableAndSpecificationAreOneCodec(t *testing.T) {
	table := codecOf(sortedElements)
	for de := range native.slots {
		if table.slots[de] != native.slots[de] {
			t.Errorf("DE %d: %+v from the table, %+v from the specification", de, table.slots[de], native.slots[de])
		}
	}
}
