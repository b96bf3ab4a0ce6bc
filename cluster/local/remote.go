package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"sync/atomic"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A Remote is a cluster whose supervisor is another process. It is safe for concurrent use.
type Remote struct {
	addresses
	operations
	root, name string
	last       atomic.Pointer[seen]
}

// seen is what the state file said when it was read last.
type seen struct {
	state
	topology *topology.Topology
}

var _ cluster.Cluster = (*Remote)(nil)

// Attach returns the running cluster of that name; dir is Options.Dir. It returns ErrNotRunning when there is none, and
// when it is still starting.
func Attach(ctx context.Context, name, dir string) (*Remote, error) {
	r, err := attach(name, dir)
	if err != nil {
		return nil, err
	}
	if !r.seen().Ready {
		return nil, notRunning(name, "it is still starting; `geoshard cluster up` shows how far it is")
	}
	if _, err := r.Status(ctx); err != nil {
		return nil, fmt.Errorf("attach to cluster %s: %w", name, err)
	}
	return r, nil
}

// attach reads the state file of a cluster whose supervisor lives.
func attach(name, dir string) (*Remote, error) {
	name, root, err := place(name, dir)
	if err != nil {
		return nil, err
	}
	r := &Remote{root: root, name: name}
	r.operations = r.post
	r.addresses = func() (book, *security) { return r.seen().Members, r.seen().Security }
	return r, r.read()
}

// read reads the state file of the cluster, whose supervisor has to live.
func (r *Remote) read() error {
	name := r.name
	if _, err := examine(r.Dir()); err != nil {
		return notRunning(name, err.Error())
	}
	s, err := readState(r.Dir())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notRunning(name, "start it with `geoshard cluster up --name "+name+"`")
	case err != nil:
		return err
	case !s.Supervisor.alive():
		return notRunning(name, "its supervisor was killed; `geoshard cluster down --name "+name+"` removes what it left")
	}
	t, err := topology.Parse("state of "+name, []byte(s.Topology))
	if err != nil {
		return fmt.Errorf("read state of %s: %w", name, err)
	}
	r.last.Store(&seen{state: *s, topology: t})
	return nil
}

func (r *Remote) seen() *seen { return r.last.Load() }

func notRunning(name, help string) error {
	return hint.New(fmt.Errorf("cluster %s: %w", name, cluster.ErrNotRunning), help)
}

// Name is the name the cluster was started with.
func (r *Remote) Name() string { return r.name }

// Topology is the declared world that the cluster was built from, or that Grow made of it before this process attached or called Grow itself.
func (r *Remote) Topology() *topology.Topology { return r.seen().topology }

// Dir is the cluster's directory: state file, data and logs.
func (r *Remote) Dir() string { return filepath.Join(r.root, r.name) }

// Dialer dials as a client in that datacenter would: with the delays and faults of its links.
func (r *Remote) Dialer(ctx context.Context, dc topology.DatacenterID) (*wan.Dialer, error) {
	var entries map[string]string
	if err := r.call(ctx, http.MethodGet, "entries/"+string(dc), controlRequest{}, &entries); err != nil {
		return nil, err
	}
	return wan.NewDialer(entries), nil
}

// Status asks every process once, in parallel; see Cluster.Status.
func (r *Remote) Status(ctx context.Context) (cluster.Status, error) {
	var s cluster.Status
	err := r.call(ctx, http.MethodGet, "status", controlRequest{}, &s)
	return s, err
}

// Grow makes the cluster what it was started to grow to; see Cluster.Grow.
func (r *Remote) Grow(ctx context.Context) error {
	if err := r.post(ctx, "grow", controlRequest{}); err != nil {
		return err
	}
	return r.read()
}

// Close stops the cluster, as its supervisor's Close does, and returns when nothing is left of it.
func (r *Remote) Close(ctx context.Context) error { return down(ctx, r.name, r.root) }

func (r *Remote) post(ctx context.Context, operation string, q controlRequest) error {
	return r.call(ctx, http.MethodPost, operation, q, nil)
}

func (r *Remote) call(ctx context.Context, method, path string, q controlRequest, into any) error {
	encoded, _ := json.Marshal(q) // it is made of texts
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.seen().Control+"/v1/"+path, bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+r.seen().Token)
	request.Close = true // nobody closes a Remote in this process, so it must not hold connections
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if !r.seen().Supervisor.alive() {
			return errors.Join(notRunning(r.name, "its supervisor has ended"), err)
		}
		return fmt.Errorf("ask supervisor of %s: %w", r.name, err)
	}
	defer func() { _ = response.Body.Close() }()
	decoder := json.NewDecoder(response.Body)
	switch {
	case response.StatusCode == http.StatusUnprocessableEntity:
		e := &controlError{}
		if err := decoder.Decode(e); err != nil {
			return fmt.Errorf("decode answer of supervisor: %w", err)
		}
		return e
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("ask supervisor of %s: %s", r.name, response.Status)
	case into == nil:
		return nil
	}
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("decode answer of supervisor: %w", err)
	}
	return nil
}
