package sweep

import (
	"slices"
	"syscall"
	"testing"

	"tallystick.example/simulator/fault"
	"tallystick.example/simulator/fault/disk"
)

// names are the events that a recorder has counted.
func names(log []Event) []string {
	var out []string
	for _, e := range log {
		out = append(out, e.String())
	}
	return out
}

func TestRunsAndStepsNameEvents(t *testing.T) {
	r := newRecorder()
	write := r.disk(func(string) bool { return true })
	host := r.line("host", fault.Up)
	write(disk.Event{Kind: disk.Write, Path: "early"}) // nobody counts yet
	r.arm(plan{})
	write(disk.Event{Kind: disk.Write, Path: "a/journal.db"})
	write(disk.Event{Kind: disk.Write, Path: "a/journal.db"})
	write(disk.Event{Kind: disk.Sync, Path: "a/journal.db"})
	host(fault.Event{Direction: fault.Up})
	host(fault.Event{Direction: fault.Down})
	host(fault.Event{Direction: fault.Down}) // the rest of the same message
	write(disk.Event{Kind: disk.Write, Path: "a/journal.db"})
	write(disk.Event{Kind: disk.Create, Path: "tmp123"})
	log, _, hit := r.disarm()
	want := []string{"write journal.db 1.1", "write journal.db 1.2", "sync journal.db 1.1", "send to host 1.1",
		"receive from host 1.1", "write journal.db 2.1", "create tmp 1.1"}
	if got := names(log); !slices.Equal(got, want) || hit {
		t.Errorf("counted %q, want %q; hit %v", got, want, hit)
	}
}

func TestOtherFilesDoNotCount(t *testing.T) {
	r := newRecorder()
	write := r.disk(func(path string) bool { return path == "mine" })
	r.arm(plan{is: func(Event) bool { return true }, errno: syscall.EIO})
	if v := write(disk.Event{Kind: disk.Write, Path: "other"}); v.Errno != 0 {
		t.Errorf("another program's write was refused: %v", v.Errno)
	}
	if v := write(disk.Event{Kind: disk.Write, Path: "mine"}); v.Errno != syscall.EIO {
		t.Errorf("the write was not refused: %v", v.Errno)
	}
	if v := write(disk.Event{Kind: disk.Write, Path: "mine"}); v.Errno != 0 {
		t.Errorf("a second write was refused: %v", v.Errno)
	}
}

// TestCutEndsEverything stops a program before and after an event: from then on
// nothing of it happens, until it is revived.
func TestCutEndsEverything(t *testing.T) {
	for _, edge := range []Edge{Before, After} {
		r := newRecorder()
		write, line := r.disk(func(string) bool { return true }), r.line("till", fault.Down)
		cuts := 0
		r.arm(plan{is: func(e Event) bool { return e.Number == 2 }, edge: edge, cut: func() { cuts++ }})
		if v := write(disk.Event{Kind: disk.Write, Path: "f"}); v.Errno != 0 || v.After != nil {
			t.Errorf("%s: the first event was touched", edge)
		}
		v := write(disk.Event{Kind: disk.Sync, Path: "f"})
		if (v.Errno == 0) != (edge == After) {
			t.Errorf("%s: the event got %v", edge, v.Errno)
		}
		if v.After != nil {
			if cuts != 0 {
				t.Errorf("%s: stopped too early", edge)
			}
			v.After()
		}
		if cuts != 1 {
			t.Errorf("%s: stopped %d times", edge, cuts)
		}
		if v := write(disk.Event{Kind: disk.Write, Path: "f"}); v.Errno == 0 {
			t.Errorf("%s: a dead program wrote", edge)
		}
		if v := line(fault.Event{Direction: fault.Down}); !v.Drop {
			t.Errorf("%s: a dead program spoke", edge)
		}
		if log, at, hit := r.disarm(); !hit || at.String() != "sync f 1.1" || len(log) != 2 {
			t.Errorf("%s: %q at %v, %v", edge, names(log), at, hit)
		}
		r.revive()
		if v := write(disk.Event{Kind: disk.Write, Path: "f"}); v.Errno != 0 {
			t.Errorf("%s: still dead", edge)
		}
	}
}

func TestErrorsCountDiskEventsOnly(t *testing.T) {
	r := newRecorder()
	r.arm(plan{diskOnly: true})
	r.line("host", fault.Up)(fault.Event{Direction: fault.Up})
	r.disk(func(string) bool { return true })(disk.Event{Kind: disk.Sync, Path: "f"})
	if log, _, _ := r.disarm(); !slices.Equal(names(log), []string{"sync f 1.1"}) {
		t.Errorf("counted %q", names(log))
	}
}
