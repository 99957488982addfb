package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// cpu is the processor time of this process, user and system.
func cpu() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// A child is a server in a process of its own.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

// start runs this program again as a server of a kind. The child speaks first:
// its address; then each line that it gets is answered with its processor time.
func start(kind, dir string) (*child, error) {
	c := &child{cmd: exec.Command(os.Args[0], "-serve", kind, "-dir", dir)}
	c.cmd.Stderr = os.Stderr
	in, err1 := c.cmd.StdinPipe()
	out, err2 := c.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	return c, json.NewDecoder(io.LimitReader(lines{c.out}, 4096)).Decode(&c.addr)
}

// lines reads up to the end of a line.
type lines struct{ r *bufio.Reader }

func (l lines) Read(p []byte) (int, error) {
	s, err := l.r.ReadString('\n')
	return copy(p, s), err
}

func (c *child) cpu() (d time.Duration, err error) {
	if _, err := io.WriteString(c.in, "cpu\n"); err != nil {
		return 0, err
	}
	s, err := c.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return d, json.Unmarshal([]byte(s), &d)
}

// stop closes the child's input, upon which it ends.
func (c *child) stop() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

// A result is what one run cost, per request.
type result struct {
	server, client time.Duration // processor time
}

// connect makes conns connections and warms them up, so that handshakes and what
// they leave to the garbage collector are no part of what is measured.
func connect(c *child, kind string, conns int, config *tls.Config) (clients []client, err error) {
	clients = make([]client, conns)
	for i := range clients {
		if clients[i], err = dial(kind, c.addr, config); err != nil {
			return nil, err
		}
	}
	return clients, spread(clients, 20)
}

// load lets clients make requests in all, each waiting for its answer.
func load(c *child, clients []client, requests int) (r result, err error) {
	each := max(requests/len(clients), 1)
	runtime.GC() // what the last run left is not this one's
	server0, err1 := c.cpu()
	client0, err2 := cpu()
	err3 := spread(clients, each)
	client1, err4 := cpu()
	server1, err5 := c.cpu()
	n := time.Duration(each * len(clients))
	return result{(server1 - server0) / n, (client1 - client0) / n}, errors.Join(err1, err2, err3, err4, err5)
}

// spread lets every client make each requests at once.
func spread(clients []client, each int) error {
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			for range each {
				if err := c.Exchange(); err != nil {
					errs[i] = fmt.Errorf("client %d: %w", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
