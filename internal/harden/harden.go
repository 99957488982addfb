// Package harden keeps the memory of a program from being written to a disk or
// read by its neighbours: no core files, not dumpable, no debugger of the same
// user.
package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Process forbids core files and marks the process as not dumpable (PR_SET_DUMPABLE
// 0), which also closes /proc/PID/mem to other processes of the same user. It is
// called first in every program. Root can still read the memory of any process:
// docs/security.md says what that means.
func Process() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbidding core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("marking the process as not dumpable: %w", err)
	}
	return nil
}

// LockMemory keeps the pages of the process out of swap. Without the privilege
// or a large enough RLIMIT_MEMLOCK it fails, and the caller says so.
func LockMemory() error {
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE); err != nil {
		return fmt.Errorf("locking memory: %w", err)
	}
	return nil
}
