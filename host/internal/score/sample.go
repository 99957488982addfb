package score

import (
	_ "embed"
)

// Sample is a commented rule file: what `host init` writes.
//
//go:embed sample.yaml
var Sample []byte
