package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

const (
	stateFile = "state.json"
	lockEnd   = ".lock" // NAME.lock beside the directory NAME
)

// A state is what the state file says: all that another process needs to attach, or to clean up after a supervisor
// that was killed.
type state struct {
	Name       string    `json:"name"`
	Supervisor identity  `json:"supervisor"`
	Started    time.Time `json:"started"`
	// Ready is false while the cluster starts.
	Ready bool `json:"ready"`
	// Control is the address of the control API and Token its bearer token; that is why the file's mode is 0600.
	Control       string              `json:"control"`
	Token         string              `json:"token"`
	ServerVersion string              `json:"serverVersion"`
	QueryRouter   cluster.QueryRouter `json:"queryRouter"`
	// Security is nil for a cluster that lets everybody in.
	Security *security `json:"security,omitempty"`
	Topology string    `json:"topology"` // YAML
	Members  book      `json:"members"`
}

type memberState struct {
	Name       string                `json:"name"`
	Kind       kind                  `json:"kind"`
	Shard      topology.ShardID      `json:"shard,omitempty"`
	Datacenter topology.DatacenterID `json:"datacenter"`
	Host       string                `json:"host"`
	Port       int                   `json:"port"`
	Log        string                `json:"log"`
	Process    identity              `json:"process"`
}

// write replaces the state file at once: a reader sees the old or the new one.
func (s *state) write(dir string) error {
	encoded, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	temporary := filepath.Join(dir, "."+stateFile)
	if err := os.WriteFile(temporary, append(encoded, '\n'), 0o600); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, stateFile)); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// readState returns an error that is fs.ErrNotExist when there is no state file.
func readState(dir string) (*state, error) {
	encoded, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	s := &state{}
	if err := json.Unmarshal(encoded, s); err != nil {
		return nil, fmt.Errorf("read state: %s: %w", filepath.Join(dir, stateFile), err)
	}
	return s, nil
}

// A nameLock is held by the supervisor for its life; the system lets go of it however the supervisor ends.
type nameLock struct {
	file *flock.Flock
	path string
}

// lockName returns ErrRunning when another supervisor, here or in another process, holds the name.
func lockName(root, name string) (*nameLock, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, &cluster.HintedError{Err: fmt.Errorf("make state directory: %w", err), Help: "set " + StateDirEnv + " to a directory that can be written"}
	}
	path := filepath.Join(root, name+lockEnd)
	for {
		file := flock.New(path, flock.SetPermissions(0o600))
		locked, err := file.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock cluster %s: %w", name, err)
		}
		if !locked {
			_ = file.Close()
			return nil, &cluster.HintedError{
				Err:  fmt.Errorf("start cluster %s: %w", name, cluster.ErrRunning),
				Help: "attach to it, stop it with `geoshard cluster down --name " + name + "`, or choose another --name",
			}
		}
		// The holder before us may have removed the file between our opening and locking it; then we hold nothing.
		if sameFile(file, path) {
			return &nameLock{file: file, path: path}, nil
		}
		_ = file.Close()
	}
}

func sameFile(held *flock.Flock, path string) bool {
	have, err := held.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(have, now)
}

// release removes the lock file while it is still held, then lets go. (Windows removes no open file: there it stays,
// empty and unlocked.)
func (l *nameLock) release() error {
	_ = os.Remove(l.path)
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("unlock cluster: %w", err)
	}
	return nil
}

// removeLeftovers ends what a killed supervisor left running and removes its directory. The caller holds the lock.
func removeLeftovers(dir string) error {
	// Without a readable state nothing can be known about processes, but the directory must still go: it would stand in
	// the way of every start.
	if s, err := readState(dir); err == nil {
		for _, m := range s.Members {
			if err := m.Process.kill(); err != nil {
				return fmt.Errorf("end %s (pid %d) of a killed supervisor: %w", m.Name, m.Process.PID, err)
			}
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove leftovers: %w", err)
	}
	return nil
}
