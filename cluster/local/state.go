package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
)

const stateFile = "state.json"

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
	Kind       layout.Kind           `json:"kind"`
	Shard      topology.ShardID      `json:"shard,omitempty"`
	Datacenter topology.DatacenterID `json:"datacenter"`
	Host       string                `json:"host"`
	Port       int                   `json:"port"`
	Log        string                `json:"log"`
	Process    identity              `json:"process"`
}

// write replaces the state file at once: a reader sees the old or the new one.
func (s *state) write(dir string) error {
	encoded, _ := json.MarshalIndent(s, "", "  ") // it is made of texts, numbers and a time
	temporary := filepath.Join(dir, "."+stateFile)
	err := os.WriteFile(temporary, append(encoded, '\n'), 0o600)
	if err == nil {
		err = os.Rename(temporary, filepath.Join(dir, stateFile))
	}
	if err != nil {
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
