package harden_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"tallystick.example/internal/harden"
)

func TestProcessForbidsCoreFiles(t *testing.T) {
	if err := harden.Process(); err != nil {
		t.Fatal(err)
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur != 0 || lim.Max != 0 {
		t.Errorf("core limit is %+v", lim)
	}
	d, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || d != 0 {
		t.Errorf("dumpable is %d, %v", d, err)
	}
}
