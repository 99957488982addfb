// Package version tells which build of the programs is running.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Number is the version of the source. Builds stamp nothing: the commit comes
// from the build information that the Go tool embeds.
const Number = "0.1.0-dev"

// Info describes a build.
type Info struct {
	Program  string `json:"program"`
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"` // empty when built outside a checkout
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Of returns the build information of the running program.
func Of(program string) Info {
	i := Info{Program: program, Version: Number, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				i.Commit = s.Value
			}
		}
	}
	return i
}

// String is one line for people.
func (i Info) String() string {
	s := fmt.Sprintf("%s %s (%s, %s)", i.Program, i.Version, i.Go, i.Platform)
	if i.Commit != "" {
		s += " " + i.Commit
	}
	return s
}
