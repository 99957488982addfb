// Package testvectors holds the project's test data, embedded: one file per
// topic of inputs and the results that are right for them, each with its
// source. README.md states the format and the meaning of every operation.
//
// Programs read other files of the same format with [Parse]. Tests use package
// vectortest, so that no program links package testing.
package testvectors

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed *.json
var files embed.FS

// Topics returns the names of the embedded topics in alphabetical order.
func Topics() []string {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		panic("testvectors: " + err.Error()) // the pattern is constant
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, ".json")
	}
	return names
}

// Load returns an embedded topic. It fails for an unknown name and for a file
// that breaks the schema.
func Load(topic string) (*File, error) {
	name := topic + ".json"
	if path.Base(name) != name {
		return nil, fmt.Errorf("testvectors: no topic %q", topic)
	}
	data, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("testvectors: no topic %q", topic)
	}
	f, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("testvectors: %s: %w", name, err)
	}
	if f.Topic != topic {
		return nil, fmt.Errorf("testvectors: %s says it is topic %q", name, f.Topic)
	}
	return f, nil
}

// All returns every embedded topic, having checked that no case id is used
// twice over all of them. The files are parsed once; the result is shared and
// must not be changed.
var All = sync.OnceValues(func() ([]*File, error) {
	var all []*File
	seen := make(map[string]string)
	for _, topic := range Topics() {
		f, err := Load(topic)
		if err != nil {
			return nil, err
		}
		for _, c := range f.Cases {
			if other, ok := seen[c.ID]; ok {
				return nil, fmt.Errorf("testvectors: case %q is in %s and in %s", c.ID, other, topic)
			}
			seen[c.ID] = topic
		}
		all = append(all, f)
	}
	return all, nil
})
