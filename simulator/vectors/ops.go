package vectors

import (
	"maps"
	"sync"
)

// allOps is the table of operations. Each family adds one line.
var allOps = sync.OnceValue(func() map[string]Op {
	return join(
		macOps(),
		dukptOps(), dukptTDESOps(), dukptAESOps(),
		pinblockOps(), keyblockOps(),
		cardCodeOps(),
		cryptogramOps(),
		transportOps(),
		emvOps(), kernelOps(), odaOps(),
	)
})

// join puts tables together. An operation has one meaning, so a name in two of
// them is a mistake of ours.
func join(tables ...map[string]Op) map[string]Op {
	all := make(map[string]Op)
	for _, t := range tables {
		for name := range t {
			if all[name] != nil {
				panic("vectors: operation " + name + " is there twice")
			}
		}
		maps.Copy(all, t)
	}
	return all
}
