package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
)

// A Listed is one cluster that has a directory.
type Listed struct {
	Name    string    `json:"name"`
	Dir     string    `json:"dir"`
	Started time.Time `json:"started"`
	// Supervisor is the process id of the supervisor, 0 when it has ended without cleaning up.
	Supervisor int `json:"supervisor,omitempty"`
	// Ready is false while the cluster starts.
	Ready bool `json:"ready"`
}

// List returns the clusters that have a directory below dir (Options.Dir), in the order of their names. Other directories there are not ours.
func List(dir string) ([]Listed, error) {
	root, err := rootDir(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var list []Listed
	for _, e := range entries {
		l := Listed{Name: e.Name(), Dir: filepath.Join(root, e.Name())}
		if m, err := examine(l.Dir); err != nil || m == nil {
			continue
		}
		if s, err := readState(l.Dir); err == nil {
			l.Started = s.Started
			if s.Supervisor.alive() {
				l.Supervisor, l.Ready = s.Supervisor.PID, s.Ready
			}
		}
		list = append(list, l)
	}
	return list, nil
}

// Down stops the cluster of that name, or removes what a killed supervisor left of it; dir is Options.Dir. It returns
// when no process, port or directory is left, ErrNotRunning when there was nothing, and ErrForeign, with nothing changed, when the
// directory of that name is not one that a cluster made. Files that a cluster's directory has besides stay, and the directory with them; that too is ErrForeign.
func Down(ctx context.Context, name, dir string) error {
	name, root, err := place(name, dir)
	if err != nil {
		return err
	}
	m, err := examine(filepath.Join(root, name))
	if err != nil {
		return fmt.Errorf("stop cluster %s: %w", name, err)
	}
	if m == nil {
		return notRunning(name, "`geoshard cluster list` lists the clusters that run")
	}
	return down(ctx, name, root)
}

// answerToDown is how long a supervisor may take for stopping before it is killed: three times the longest stop that we
// promise.
const answerToDown = 15 * time.Second

func down(ctx context.Context, name, root string) error {
	r, err := attach(name, root)
	if err == nil { // otherwise there is nobody to ask; if somebody holds the name all the same, clearName waits for him
		if err := r.askToClose(ctx); err != nil {
			return err
		}
	}
	return clearName(ctx, name, root)
}

// askToClose returns when the supervisor has let go of the name; one that does not answer is killed, and its children
// with it.
func (r *Remote) askToClose(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, answerToDown)
	defer cancel()
	err := r.post(patience, "close", controlRequest{})
	if err == nil {
		var lock *nameLock
		if lock, err = awaitLock(patience, "wait for the end of "+r.name, r.root, r.name); err == nil {
			err = lock.release()
		}
	}
	switch {
	case err == nil, errors.Is(err, cluster.ErrNotRunning):
		return nil
	case ctx.Err() != nil, r.seen().Supervisor.PID == os.Getpid():
		return err
	}
	if err := r.seen().Supervisor.kill(); err != nil {
		return fmt.Errorf("kill supervisor of %s: %w", r.name, err)
	}
	return nil
}

// awaitLock takes the lock of a name when nobody else holds it.
func awaitLock(ctx context.Context, what, root, name string) (lock *nameLock, err error) {
	err = poll(ctx, what, func(last *error) (_ bool, err error) {
		lock, err = lockName(root, name)
		if errors.Is(err, cluster.ErrRunning) {
			*last = err
			return false, nil
		}
		return err == nil, err
	})
	return lock, err
}

// clearName removes leftovers under the lock. A supervisor that was just killed may need a moment to let go of it; somebody
// else who holds it, such as a start that has not written its state yet, is not waited for beyond the same patience.
func clearName(ctx context.Context, name, root string) error {
	patience, cancel := context.WithTimeout(ctx, answerToDown)
	defer cancel()
	lock, err := awaitLock(patience, "wait for the lock of "+name, root, name)
	switch {
	case err != nil && patience.Err() != nil && ctx.Err() == nil:
		return hint.New(fmt.Errorf("stop cluster %s: a process that its state does not name holds %s", name, filepath.Join(root, name+lockEnd)),
			"it may be one that starts the cluster: try again; otherwise end that process")
	case err != nil:
		return err
	}
	dir := filepath.Join(root, name)
	// A killed detached supervisor also leaves its log.
	return errors.Join(removeLeftovers(dir), removeSupervisorLog(dir+supervisorLogEnd), lock.release())
}
