package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A Cluster is a running cluster whose supervisor is this process. It is safe for concurrent use.
type Cluster struct {
	addresses
	operations
	options Options
	dir     string
	mark    *mark // of dir; nil until it is ours
	lock    *nameLock
	network *wan.Network
	forker  *forker
	control *http.Server
	serving sync.WaitGroup // the control server
	// security is nil for a cluster that lets everybody in.
	security *security
	started  time.Time

	roster *replica.Roster[*process]

	// lags are the members whose replication is slowed.
	lags replica.Lags

	mu    sync.Mutex
	state state // guarded by mu

	// life ends when Close begins; what is under way then stops.
	life    context.Context
	endLife context.CancelCauseFunc
	// working is held for reading by everything that may start a process, for writing by Close.
	working sync.RWMutex

	closing  sync.Once
	closeErr error
	done     chan struct{} // closed when Close has finished

	progress sync.Mutex // one call of Options.Progress at a time
}

var _ cluster.Cluster = (*Cluster)(nil)

// Name is the name the cluster was started with.
func (c *Cluster) Name() string { return c.options.Name }

// Topology is the declared world that the cluster was built from; after Grow it is Options.Grown.
func (c *Cluster) Topology() *topology.Topology { return c.roster.Topology() }

// Done is closed when the cluster has been closed, by whomever: a foreground command waits for it.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Dir is the cluster's directory: state file, data and logs.
func (c *Cluster) Dir() string { return c.dir }

// Dialer dials as a client in that datacenter would: with the delays and faults of its links.
func (c *Cluster) Dialer(dc topology.DatacenterID) (*wan.Dialer, error) {
	if err := c.roster.Datacenter(dc); err != nil {
		return nil, err
	}
	return c.network.Dialer(dc), nil
}

// Watch counts what crosses the links and holds one of some texts; see [wan.Watch]. TLS hides it.
func (c *Cluster) Watch(texts ...string) *wan.Watch { return c.network.Watch(texts...) }

// members is the address book as it is now.
func (c *Cluster) members() book {
	var b book
	for _, p := range c.roster.Members() {
		m := memberState{Name: p.Name, Kind: p.Kind, Shard: p.Shard, Datacenter: p.DC, Host: p.Advertised(), Port: p.realPort(), Log: p.log}
		if r := p.current(); r.alive() {
			m.Process = r.id
		}
		b = append(b, m)
	}
	return b
}

// saveState records what runs now.
func (c *Cluster) saveState() error {
	world, err := c.Topology().Marshal()
	if err != nil {
		return fmt.Errorf("record topology: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Topology, c.state.Members = string(world), c.members()
	return c.state.write(c.dir)
}

// Close ends every process, the network and the control API, and removes the cluster's directory. It is idempotent:
// later calls wait for the first and return its result.
func (c *Cluster) Close(ctx context.Context) error {
	c.closing.Do(func() {
		// Once begun, stopping is finished: a caller who gives up must not leave half of it behind.
		c.closeErr = c.stop(context.WithoutCancel(ctx))
		close(c.done)
	})
	return c.closeErr
}

func (c *Cluster) stop(ctx context.Context) error {
	c.endLife(cluster.ErrClosed)
	c.working.Lock() // never released: nothing starts any more
	// The data goes away with the cluster, so nobody needs an orderly end, and SIGKILL cannot be ignored.
	var problems []error
	var all sync.WaitGroup
	for _, p := range c.roster.All() {
		all.Go(func() { p.direct.Disconnect(ctx) })
		problems = append(problems, p.signalKill())
	}
	for _, p := range c.roster.All() {
		problems = append(problems, p.kill(ctx))
		releasePort(p.realPort())
	}
	all.Wait()
	c.forker.close()
	if c.network != nil {
		problems = append(problems, c.network.Close())
	}
	if c.control != nil {
		problems = append(problems, c.closeControl(ctx))
	}
	if c.mark != nil { // otherwise nothing was made
		problems = append(problems, c.mark.remove(c.dir))
	}
	problems = append(problems, c.lock.release())
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("close cluster %s: %w", c.options.Name, err)
	}
	return nil
}

// during does work, with a context that also ends when the cluster is closed. Close waits for the end of the work.
func (c *Cluster) during(ctx context.Context, work func(context.Context) error) error {
	if c.life.Err() != nil || !c.working.TryRLock() {
		return cluster.ErrClosed
	}
	defer c.working.RUnlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.life, func() { cancel(cluster.ErrClosed) })()
	return work(ctx)
}

func (c *Cluster) report(format string, args ...any) {
	if c.options.Progress == nil {
		return
	}
	c.progress.Lock()
	defer c.progress.Unlock()
	c.options.Progress(Event{Elapsed: time.Since(c.started), Text: fmt.Sprintf(format, args...)})
}

// fileName is a member's name as a file name.
func fileName(member string) string { return strings.ReplaceAll(member, "/", "-") }

func (c *Cluster) dataDir(p *process) string { return filepath.Join(c.dir, "data", fileName(p.Name)) }
