package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A detachedRequest is what a detached supervisor reads first from its standard input. Until it reads released as well,
// the end of that input means that nobody waits for it, and it gives up.
type detachedRequest struct {
	Options         Options
	Topology, Grown []byte // YAML; Grown may be empty
}

const released = "released"

// A detachedReport is one line of a detached supervisor's standard output.
type detachedReport struct {
	Event *Event        `json:",omitempty"`
	Ready bool          `json:",omitempty"`
	Error *controlError `json:",omitempty"`
}

// StartDetached starts a cluster whose supervisor is a process of its own, which outlives this one: a re-executed copy
// of this program in a session of its own. It returns when the cluster is ready, as Start does; when ctx ends before,
// nothing is left. The supervisor writes to NAME.log beside the cluster's directory.
func StartDetached(ctx context.Context, o Options) (*Remote, error) {
	o, err := o.withDefaults(ctx)
	if err != nil {
		return nil, err
	}
	request := detachedRequest{Options: o}
	if request.Topology, err = o.Topology.Marshal(); err != nil {
		return nil, fmt.Errorf("encode topology: %w", err)
	}
	if o.Grown != nil {
		if request.Grown, err = o.Grown.Marshal(); err != nil {
			return nil, fmt.Errorf("encode grown topology: %w", err)
		}
	}
	logPath := filepath.Join(o.Dir, o.Name+supervisorLogEnd)
	_, err = examine(filepath.Join(o.Dir, o.Name))
	if err = errors.Join(err, examineSupervisorLog(logPath)); err != nil {
		return nil, fmt.Errorf("start cluster %s: %w", o.Name, err)
	}
	// Asked here first, so that a name that is taken costs no process and no line in the log of the one that runs.
	lock, err := lockName(o.Dir, o.Name)
	if err != nil {
		return nil, err
	}
	if err := lock.release(); err != nil {
		return nil, err
	}
	child, err := startSupervisor(logPath)
	if err != nil {
		return nil, err
	}
	if err := child.follow(ctx, request); err != nil {
		err = errors.Join(err, child.giveUp())
		if text := strings.TrimPrefix(tail(logPath), supervisorLogText); text != "" {
			err = hint.New(err, strings.TrimPrefix(hint.Of(err)+"\n", "\n")+"the supervisor's log ends with:\n"+text)
		}
		if errors.Is(err, cluster.ErrRunning) {
			return nil, err // the log is that of the one that runs
		}
		return nil, errors.Join(err, removeSupervisorLog(logPath))
	}
	if err := child.release(); err != nil {
		return nil, err
	}
	return Attach(ctx, o.Name, o.Dir)
}

// A supervisorChild is the starter's side of a detached supervisor.
type supervisorChild struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

func startSupervisor(logPath string) (*supervisorChild, error) {
	cmd, err := childCommand(childSupervisor)
	if err != nil {
		return nil, err
	}
	log, err := openSupervisorLog(logPath)
	if err != nil {
		return nil, fmt.Errorf("open supervisor's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd.SysProcAttr, cmd.Stderr = detachedAttributes(), log
	child := &supervisorChild{cmd: cmd}
	if child.in, err = cmd.StdinPipe(); err == nil {
		child.out, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	return child, nil
}

// follow hands the request over and passes the events on until the cluster is ready.
func (s *supervisorChild) follow(ctx context.Context, q detachedRequest) error {
	// A closed input tells the supervisor that nobody waits any more; it cleans up, ends, and so ends the reading below.
	defer context.AfterFunc(ctx, func() { _ = s.in.Close() })()
	if err := json.NewEncoder(s.in).Encode(q); err != nil {
		return fmt.Errorf("hand over to supervisor: %w", err)
	}
	reports := json.NewDecoder(s.out)
	for {
		var report detachedReport
		err := reports.Decode(&report)
		switch {
		case ctx.Err() != nil && !report.Ready:
			return fmt.Errorf("start cluster %s: %w", q.Options.Name, context.Cause(ctx))
		case err != nil:
			return fmt.Errorf("start cluster %s: the supervisor ended: %w", q.Options.Name, err)
		case report.Error != nil:
			return report.Error
		case report.Ready:
			return nil
		case report.Event != nil && q.Options.Progress != nil:
			q.Options.Progress(*report.Event)
		}
	}
}

// giveUp waits until the supervisor has cleaned up and ended.
func (s *supervisorChild) giveUp() error {
	_ = s.in.Close()
	go func() { _, _ = io.Copy(io.Discard, s.out) }() // ends with the process
	kill := time.AfterFunc(answerToDown, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("wait for supervisor: %w", err)
	}
	return nil
}

// release lets the supervisor live on without us.
func (s *supervisorChild) release() error {
	if err := errors.Join(json.NewEncoder(s.in).Encode(released), s.in.Close()); err != nil {
		return errors.Join(fmt.Errorf("release supervisor: %w", err), s.giveUp())
	}
	go func() { _ = s.cmd.Wait() }() // or, when it ends before this process does, it would stay a zombie
	return nil
}

// runSupervisor is the other side.
func runSupervisor(ctx context.Context) error {
	// The starter may end while we write to it; that must be an error of the write, not our death.
	signal.Ignore(brokenPipe...)
	reports := json.NewEncoder(os.Stdout)
	fail := func(err error) error {
		_ = reports.Encode(detachedReport{Error: toControlError(err)})
		return err
	}
	in := json.NewDecoder(os.Stdin)
	o, err := readRequest(in)
	if err != nil {
		return fail(err)
	}
	o.Progress = func(e Event) { _ = reports.Encode(detachedReport{Event: &e}) }

	wanted, nobodyWaits := context.WithCancelCause(ctx)
	defer nobodyWaits(nil)
	mayLive := make(chan struct{})
	go func() { // ends with the input, at the latest with the process
		var word string
		if _ = in.Decode(&word); word == released {
			close(mayLive)
			return
		}
		nobodyWaits(errors.New("the process that asked for the cluster has gone"))
	}()
	c, err := Start(wanted, o)
	if err != nil {
		return fail(err)
	}
	_ = reports.Encode(detachedReport{Ready: true})
	select {
	case <-mayLive:
	case <-wanted.Done():
		return c.Close(context.Background())
	}
	_ = os.Stdout.Close()
	select {
	case <-c.Done():
	case <-ctx.Done():
	}
	return errors.Join(c.Close(context.Background()), removeSupervisorLog(filepath.Join(o.Dir, o.Name+supervisorLogEnd)))
}

func readRequest(in *json.Decoder) (o Options, err error) {
	var q detachedRequest
	if err := in.Decode(&q); err != nil {
		return o, fmt.Errorf("read request: %w", err)
	}
	o = q.Options
	if o.Topology, err = topology.Parse("topology", q.Topology); err == nil && len(q.Grown) > 0 {
		o.Grown, err = topology.Parse("grown topology", q.Grown)
	}
	return o, err
}
