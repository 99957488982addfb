package sweep

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tallystick.example/simulator/fault"
	"tallystick.example/simulator/fault/disk"
	"tallystick.example/simulator/lab"
)

// A bench is a lab whose program under test is watched: its files are on a bad
// disk, its lines and sockets go through proxies.
type bench struct {
	o    Options
	lab  *lab.Lab
	rec  *recorder
	dir  string // everything is in it
	env  []string
	host string // where the host listens

	disk    *disk.Disk
	at      string // mount point: the folder of the program's files
	backing string // what is behind it
	folders int    // backings so far

	proxies []func() // stop one each
	group   sync.WaitGroup
	broken  chan error // has room for one: a proxy failed

	sales int
	cases map[string]plannedCase // by sale
}

// richly is the balance of the cardholder's account: no sale of a sweep is
// declined for want of money.
const richly = 1_000_000_000_000

// rules let every sale of a sweep through: the same card pays hundreds of times
// in a minute.
const rules = `version: "sweep"
thresholds: {pin: 0, refer: 0, decline: 0}
rules:
  - name: never
    when: amount < 0
    weight: 1
    reason: S00
`

// newBench makes the lab, puts the watching in place and starts everything.
func newBench(ctx context.Context, o Options) (*bench, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	b := &bench{o: o, rec: newRecorder(), host: address, broken: make(chan error, 1), cases: map[string]plannedCase{}}
	if b.dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if b.lab, err = lab.New(ctx, lab.Options{Bin: o.Bin, Dir: b.dir, Balance: richly}); err != nil {
		return nil, fmt.Errorf("making the lab: %w", err)
	}
	if err := os.WriteFile(b.lab.Path("host", "rules.yaml"), []byte(rules), 0o600); err != nil {
		return nil, err
	}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// freeAddress is a loopback address that the host keeps over its restarts.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// start puts everything in place and starts the programs.
func (b *bench) start(ctx context.Context) error {
	b.at = b.lab.Path("host")
	if b.o.Target == Agent {
		b.at = b.lab.Path("agent")
	}
	b.backing = b.at + ".0"
	if err := errors.Join(os.Rename(b.at, b.backing), os.Mkdir(b.at, 0o700), b.mount()); err != nil {
		return err
	}
	if err := b.wires(); err != nil {
		return err
	}
	b.lab.SetEnv(b.env)
	programs := []string{lab.Boundary, lab.Host, lab.Card, lab.Reader, lab.Keypad}
	for _, name := range programs {
		if err := b.lab.Start(ctx, name); err != nil {
			return err
		}
	}
	// A line can be watched once its device is there.
	if b.o.Target == Agent {
		for _, name := range []string{"reader", "keypad"} {
			if err := b.serial(name); err != nil {
				return err
			}
		}
	}
	return b.lab.Start(ctx, lab.Agent)
}

// wires makes the proxies of sockets and the environment that leads the
// programs through them.
func (b *bench) wires() error {
	till, hsm := b.lab.Path("agent.sock"), b.lab.Path("host", "run", "boundary.sock")
	reader, keypad, host := b.lab.Path("reader"), b.lab.Path("keypad"), b.host
	var err error
	switch b.o.Target {
	case Agent:
		reader, keypad = b.lab.Path("w-reader"), b.lab.Path("w-keypad")
		if host, err = b.network(fault.Up); err == nil {
			_, err = b.socket(b.till(), till, "till", fault.Down)
		}
	case Host:
		if host, err = b.network(fault.Down); err == nil {
			hsm, err = b.socket(b.lab.Path("w-hsm.sock"), hsm, "boundary", fault.Up)
		}
	case Boundary:
		hsm, err = b.socket(b.lab.Path("w-hsm.sock"), hsm, "host", fault.Down)
	}
	b.env = []string{
		"TALLYSTICK_HOST_LISTEN=" + b.host, "TALLYSTICK_HOST_HSM_CONFIG=", "TALLYSTICK_HOST_HSM_SOCKET=" + hsm,
		"TALLYSTICK_HOST_HSM_ADMIN_SOCKET=" + b.lab.Path("host", "run", "admin.sock"),
		"TALLYSTICK_HOST_TIMING_ISSUER=1s", "TALLYSTICK_HOST_TIMING_ANSWER=1200ms",
		"TALLYSTICK_AGENT_HOST_ADDRESS=" + host, "TALLYSTICK_AGENT_SOCKET=" + till,
		"TALLYSTICK_AGENT_READER_PATH=" + reader, "TALLYSTICK_AGENT_KEYPAD_PATH=" + keypad,
		"TALLYSTICK_AGENT_HOST_ANSWER_WITHIN=1500ms", "TALLYSTICK_AGENT_HOST_ECHO_EVERY=1h",
		"TALLYSTICK_AGENT_HOST_RETRY_FIRST=50ms", "TALLYSTICK_AGENT_HOST_RETRY_MAX=50ms",
		"TALLYSTICK_AGENT_REVERSALS_FIRST=100ms", "TALLYSTICK_AGENT_REVERSALS_MAX=100ms", "TALLYSTICK_AGENT_REVERSALS_STUCK_AFTER=100",
	}
	switch b.o.Plant {
	case NoSync:
		b.env = append(b.env, "TALLYSTICK_UNSAFE_NOSYNC=1")
	case SendFirst:
		b.env = append(b.env, "TALLYSTICK_UNSAFE_SEND_FIRST=1")
	}
	return err
}

// till is the socket at which the till talks to the agent.
func (b *bench) till() string {
	if b.o.Target == Agent {
		return b.lab.Path("w-till.sock")
	}
	return b.lab.Path("agent.sock")
}

// network watches the line between agent and host.
func (b *bench) network(sends fault.Direction) (address string, err error) {
	peer := "host"
	if sends == fault.Down {
		peer = "agent"
	}
	p, err := fault.NewProxy("127.0.0.1:0", b.host, b.rec.line(peer, sends))
	if err != nil {
		return "", err
	}
	b.serve(p)
	return p.Addr(), nil
}

// socket watches a Unix socket.
func (b *bench) socket(listen, target, peer string, sends fault.Direction) (string, error) {
	p, err := fault.NewUnixProxy(listen, target, b.rec.line(peer, sends))
	if err != nil {
		return "", err
	}
	b.serve(p)
	return listen, nil
}

// serial watches a serial line, at which the agent sends towards the device.
func (b *bench) serial(name string) error {
	p, err := fault.NewSerial(b.lab.Path("w-"+name), b.lab.Path(name), b.rec.line(name, fault.Up))
	if err != nil {
		return err
	}
	b.serve(p)
	return nil
}

func (b *bench) serve(p interface{ Serve(context.Context) error }) {
	ctx, stop := context.WithCancel(context.Background())
	b.proxies = append(b.proxies, stop)
	b.group.Go(func() {
		if err := p.Serve(ctx); err != nil {
			select {
			case b.broken <- err:
			default:
			}
		}
	})
}

// mine picks the files of the program under test: host and boundary share a
// disk.
func (b *bench) mine(path string) bool {
	hsm := strings.HasPrefix(path, "hsm/") || path == "hsm"
	switch b.o.Target {
	case Host:
		return !hsm
	case Boundary:
		return hsm
	}
	return true
}

func (b *bench) mount() (err error) {
	b.disk, err = disk.Mount(b.backing, b.at, disk.Options{
		Hook:     b.rec.disk(b.mine),
		Volatile: func(path string) bool { return strings.HasSuffix(path, "-shm") },
	})
	return err
}

// unmount takes the disk out; nobody may use it any more.
func (b *bench) unmount() error {
	if b.disk == nil {
		return nil
	}
	d := b.disk
	b.disk = nil
	return d.Unmount()
}

// swap puts another disk in, and throws the old one away.
func (b *bench) swap(image string) error {
	if err := b.unmount(); err != nil {
		return err
	}
	old := b.backing
	b.backing = image
	return errors.Join(os.RemoveAll(old), b.mount())
}

// victims are the processes that a cut ends: a power cut takes the whole
// machine.
func (b *bench) victims() []string {
	switch {
	case b.o.Target == Agent:
		return []string{lab.Agent}
	case b.o.What == Power:
		return []string{lab.Host, lab.Boundary}
	}
	return []string{string(b.o.Target)}
}

// cutter kills the victims that run and, for a power cut, notes in *image what
// is left.
func (b *bench) cutter(c plannedCase, image *string, failed *error) func() {
	d, names := b.disk, b.victims()
	if c.image >= 0 {
		b.folders++
		*image = fmt.Sprintf("%s.%d", b.at, b.folders)
	}
	return func() {
		*failed = b.kill(names)
		if c.image >= 0 {
			*failed = errors.Join(*failed, d.PowerLoss(*image, c.random(b.o.Seed).IntN))
		}
	}
}

// kill kills what runs of names. A program whose first event this is may have
// been started so lately that its process id is not known yet.
func (b *bench) kill(names []string) error {
	killed := 0
	for range 1000 {
		for _, name := range names {
			pid := b.lab.PID(name)
			if pid == 0 {
				continue
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("killing the %s: %w", name, err)
			}
			killed++
		}
		if killed > 0 {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("none of %v runs, so none can be killed", names)
}

// reap waits for the ends of the victims, and after a power cut puts a disk in
// that holds what is left.
func (b *bench) reap(image string) error {
	for _, name := range b.victims() {
		if err := b.lab.Kill(name); err != nil {
			return err
		}
	}
	if image != "" {
		if err := b.swap(image); err != nil {
			return err
		}
	}
	b.rec.revive()
	return nil
}

// startVictims starts them again, the boundary before the host.
func (b *bench) startVictims(ctx context.Context) error {
	names := b.victims()
	for i := len(names) - 1; i >= 0; i-- {
		if err := b.lab.Start(ctx, names[i]); err != nil {
			return err
		}
	}
	return nil
}

// close stops everything.
func (b *bench) close() error {
	var errs []error
	for _, name := range []string{lab.Agent, lab.Host, lab.Boundary} {
		errs = append(errs, b.lab.Stop(name))
	}
	// The devices end when nobody holds their lines any more.
	for _, stop := range b.proxies {
		stop()
	}
	b.group.Wait()
	errs = append(errs, b.lab.Close())
	select {
	case err := <-b.broken:
		errs = append(errs, fmt.Errorf("a proxy: %w", err))
	default:
	}
	return errors.Join(append(errs, b.unmount())...)
}
