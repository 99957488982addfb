package version_test

import (
	"strings"
	"testing"

	"tallystick.example/internal/version"
)

func TestStringNamesProgramAndVersion(t *testing.T) {
	s := version.Of("agent").String()
	if !strings.HasPrefix(s, "agent "+version.Number+" (go") {
		t.Errorf("String() = %q", s)
	}
}
