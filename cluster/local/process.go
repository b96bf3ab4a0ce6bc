package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	psnet "github.com/shirou/gopsutil/v4/net"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/wan"
)

// pollEvery is how often a state is looked at while something waits for it: short against the 100 ms and more that
// servers take for anything, long against the cost of a look.
const pollEvery = 25 * time.Millisecond

// A node is embedded in a process under this name.
type node = layout.Node

// A process is one node of the layout with its address and, while it runs, its operating-system process.
type process struct {
	node
	log      string // path of the log file
	security *security

	mu sync.Mutex
	// host is the advertised address: the WAN front of members, the real port of routers and cores.
	host string // guarded by mu
	// port is the real port on 127.0.0.1. Once the process has listened it stays the same, over restarts too.
	port int  // guarded by mu
	run  *run // guarded by mu; nil before the first start

	direct replica.Direct
}

// A run is one life of a process.
type run struct {
	cmd    *exec.Cmd
	id     identity
	paused bool          // guarded by process.mu
	killed bool          // guarded by process.mu; ended by us
	gone   chan struct{} // closed when the process has been waited for
	err    error         // of the wait; readable when gone is closed
}

func (r *run) alive() bool {
	if r == nil {
		return false
	}
	select {
	case <-r.gone:
		return false
	default:
		return true
	}
}

// realPort is where the process itself listens.
func (p *process) realPort() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.port
}

func (p *process) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// launch starts the process. The network knows the pid before the process can open a connection, until it was waited for.
func (p *process) launch(f *forker, cmd *exec.Cmd, network *wan.Network) (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run.alive() {
		return p.run, nil
	}
	if err := f.start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	pid := cmd.Process.Pid
	if err := network.Register(pid, p.DC, p.Name); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	r := &run{cmd: cmd, gone: make(chan struct{})}
	go func() {
		r.err = cmd.Wait()
		network.Unregister(pid)
		close(r.gone)
	}()
	r.id = identify(pid)
	p.run = r
	return r, nil
}

// signalKill sends SIGKILL, if there is somebody to send it to.
func (p *process) signalKill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.run.alive() {
		return nil
	}
	p.run.killed = true
	if err := p.run.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.Name, err)
	}
	return nil
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill(ctx context.Context) error {
	if err := p.signalKill(); err != nil {
		return err
	}
	r := p.current()
	if r == nil {
		return nil
	}
	select {
	case <-r.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", p.Name, context.Cause(ctx))
	}
}

// setPaused stops or continues a running process; it does nothing to one that is in that state.
func (p *process) setPaused(paused bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.run.alive() {
		return hint.New(fmt.Errorf("pause %s: %w", p.Name, cluster.ErrNotRunning),
			"start it first")
	}
	if p.run.paused == paused {
		return nil
	}
	if err := stopOrContinue(p.run.cmd.Process, paused); err != nil {
		return fmt.Errorf("pause or resume %s: %w", p.Name, err)
	}
	p.run.paused = paused
	return nil
}

// waitListening returns when the process takes connections. When it ends instead, the error says why.
func (p *process) waitListening(ctx context.Context, r *run) error {
	dialer := net.Dialer{Timeout: time.Second}
	return poll(ctx, "wait for "+p.Name, func(last *error) (bool, error) {
		if !r.alive() {
			return false, p.exitError(r)
		}
		conn, err := dialer.DialContext(ctx, "tcp", loopback(p.realPort()))
		if *last = err; err != nil {
			return false, nil
		}
		return listens(r.id.PID, p.realPort()), conn.Close()
	})
}

// listens reports whether it is that process that listens on a port, and not somebody who was quicker to take it. Where
// the system does not say, it is taken for granted.
func listens(pid, port int) bool {
	sockets, err := psnet.ConnectionsPid("tcp4", int32(pid))
	if err != nil {
		return true
	}
	return slices.ContainsFunc(sockets, func(s psnet.ConnectionStat) bool {
		return s.Status == "LISTEN" && int(s.Laddr.Port) == port
	})
}

// exitError says which process ended by itself, and how, with the end of its log as the hint.
func (p *process) exitError(r *run) error {
	err := r.err
	if err == nil {
		err = errors.New("exit status 0")
	}
	return hint.New(fmt.Errorf("%s ended: %w", p.Name, err), "see "+p.log+"; it ends with:\n"+tail(p.log))
}

// portTaken reports whether a process ended because somebody else had its port.
func portTaken(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == addressInUseExit
}

// poll is replica.Await for what is quickly looked at.
func poll(ctx context.Context, what string, look func(last *error) (bool, error)) error {
	return replica.Await(ctx, pollEvery, what, look)
}

// tail returns what a log ends with, or why it cannot be read: the fatal messages, where there are some, since a backtrace
// follows them that says nothing to anybody.
func tail(path string) string {
	const read, most = 1 << 18, 2000
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	_, _ = f.Seek(-read, io.SeekEnd) // it fails for a shorter one, which is read from its beginning
	buf, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	var fatal []byte
	for line := range bytes.Lines(buf) {
		if bytes.Contains(line, []byte(`"s":"F"`)) {
			fatal = append(fatal, line...)
		}
	}
	if len(fatal) > 0 {
		return string(fatal[:min(len(fatal), most)])
	}
	return string(buf[max(0, len(buf)-most):])
}
