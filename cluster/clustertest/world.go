package clustertest

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// A World is a cluster of its own for the tests of one package: the first that wants it starts it, and Main closes it. It has to be a package's variable.
type World struct {
	// YAML is its topology.
	YAML string
	// Options are how it is started; Topology, Dir and, where it is zero, WANScale (no delays) are set.
	Options local.Options

	once    sync.Once
	cluster *local.Cluster
	dir     string
	err     error // of the start, told to every test
}

// worlds are those that were started.
var worlds struct {
	mu   sync.Mutex
	open []*World // guarded by mu
}

// worldWithin bounds the start of a cluster with some members in each of a few datacenters on a machine that is busy with other tests.
const worldWithin = 4 * time.Minute

// Start returns the cluster. Tests share its data: give each a database of its own, and break nothing. Against GEOSHARD_TEST_URI the test is skipped by name.
func (w *World) Start(t testing.TB) *local.Cluster {
	t.Helper()
	Needs(t, "a cluster of its own")
	c, err := w.begin(t)
	if err != nil {
		t.Fatalf("start the cluster %s: %v%s", w.Options.Name, err, Hint(err))
	}
	return c
}

func (w *World) begin(t testing.TB) (*local.Cluster, error) {
	w.once.Do(func() { w.err = w.start(t) })
	return w.cluster, w.err
}

func (w *World) start(t testing.TB) error {
	if !mainCalled.Load() {
		return errors.New("TestMain has to call clustertest.Main")
	}
	o := w.Options
	var err error
	if o.Topology, err = topology.Parse("world.yaml", []byte(w.YAML)); err != nil {
		return err
	}
	if w.dir, err = os.MkdirTemp("", "geoshard-"+w.Options.Name+"-"); err != nil {
		return err
	}
	worlds.mu.Lock()
	worlds.open = append(worlds.open, w)
	worlds.mu.Unlock()
	o.Dir, o.WANScale = w.dir, cmp.Or(o.WANScale, -1)
	w.cluster, err = begin(t, o)
	return err
}

// begin starts a cluster, and says of which version it is and how long that took.
func begin(t testing.TB, o local.Options) (*local.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), worldWithin)
	defer cancel()
	began := time.Now()
	c, err := local.Start(ctx, o)
	took := time.Since(began).Round(time.Millisecond)
	if err != nil {
		t.Logf("cluster %s: gave up after %s", o.Name, took)
		return nil, err
	}
	status, _ := c.Status(ctx) // for what the log says alone
	t.Logf("cluster %s: MongoDB %s started in %s", o.Name, status.ServerVersion, took)
	return c, nil
}

// closeWorlds closes what was started.
func closeWorlds() error {
	worlds.mu.Lock()
	defer worlds.mu.Unlock()
	var problems []error
	for _, w := range worlds.open {
		if w.cluster != nil {
			problems = append(problems, w.cluster.Close(context.Background()))
		}
		problems = append(problems, os.RemoveAll(w.dir))
	}
	return errors.Join(problems...)
}
