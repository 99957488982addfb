package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// stopGrace is how long a child may take to end after it was told to.
const stopGrace = 5 * time.Second

// A Child is a boundary process that this process started.
type Child struct {
	stdin io.Closer
	done  chan struct{}
	err   error // valid when done is closed
}

// SpawnChild starts exe with args as a boundary of this process, its output
// going to stderr. The child ends when ctx does, when Stop is called, or when
// this process dies: it holds the other end of the child's standard input, which
// the boundary reads (flag --child), and the kernel kills the child with its
// parent.
func SpawnChild(ctx context.Context, exe string, args []string, stderr io.Writer) (*Child, error) {
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	// A signal for the whole group, such as Ctrl-C, is for the parent: it still needs
	// the boundary for its last checkpoint.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the boundary: %w", err)
	}
	c := &Child{stdin: stdin, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel takes the end of the thread that started the child for the
		// end of the parent, so this thread lives as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		if c.err = cmd.Start(); c.err != nil {
			started <- c.err
			return
		}
		started <- nil
		c.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("starting the boundary: %w", err), stdin.Close())
	}
	return c, nil
}

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Wait returns when the child has ended, with its error.
func (c *Child) Wait() error {
	<-c.done
	return c.err
}

// Stop closes the child's standard input and waits for its end, of its own will
// or by the end of ctx given to SpawnChild.
func (c *Child) Stop() error {
	// A pipe whose reader is gone has nothing to close that matters.
	_ = c.stdin.Close()
	return c.Wait()
}
