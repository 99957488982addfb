package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Bounds of a process's life.
const (
	readyWithin = 30 * time.Second
	stopWithin  = 15 * time.Second
	tailBytes   = 4096
)

// A process is one running program of the lab.
type process struct {
	cmd   *exec.Cmd
	ready chan string   // the first line on standard output
	done  chan struct{} // closed when it has ended
	err   error         // valid once done is closed
	log   *tail
}

// A tail keeps the last bytes that a program wrote to standard error, for the
// message that explains why it did not start.
type tail struct {
	mu   sync.Mutex
	b    []byte
	file io.Writer
}

// Write keeps and passes on.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > tailBytes {
		t.b = t.b[len(t.b)-tailBytes:]
	}
	return t.file.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}

// launch starts a program; its output goes to NAME.out and NAME.err in logs.
func launch(name, logs, bin string, env []string, args ...string) (*process, error) {
	errFile, err := os.OpenFile(filepath.Join(logs, name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	outFile, err := os.OpenFile(filepath.Join(logs, name+".out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(err, errFile.Close())
	}
	p := &process{cmd: exec.Command(bin, args...), ready: make(chan string, 1), done: make(chan struct{}), log: &tail{file: errFile}}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.log
	// A lab that is killed leaves nothing running.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, errFile.Close(), outFile.Close())
	}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, errFile.Close(), outFile.Close())
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.drain(out, outFile)
	}()
	go func() {
		<-read
		p.err = p.cmd.Wait()
		// The files hold logs of a lab; the process's own end is what counts.
		_ = errors.Join(errFile.Close(), outFile.Close())
		close(p.done)
	}()
	return p, nil
}

// drain copies standard output to a file and announces the first line.
func (p *process) drain(out io.Reader, file io.Writer) {
	r := bufio.NewReader(out)
	first := true
	for {
		text, err := r.ReadString('\n')
		if text != "" {
			_, _ = io.WriteString(file, text)
			if first {
				p.ready <- text
				first = false
			}
		}
		if err != nil {
			return
		}
	}
}

// await waits for the first line, or for check to be true where it is given.
func (p *process) await(ctx context.Context, check func() bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case text := <-p.ready:
			if check == nil {
				return text, nil
			}
		case <-p.done:
			return "", fmt.Errorf("it ended at once (%w): %s", p.err, p.log)
		case <-ctx.Done():
			return "", fmt.Errorf("it is not ready after %v: %s", readyWithin, p.log)
		case <-tick.C:
			if check != nil && check() {
				return "", nil
			}
		}
	}
}

// stop ends the process with a signal and waits; one that does not end in time
// is killed, and that is an error.
func (p *process) stop(sig os.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopWithin):
		err := p.cmd.Process.Kill()
		<-p.done
		return errors.Join(fmt.Errorf("it did not end within %v of %v: %s", stopWithin, sig, p.log), err)
	}
}
