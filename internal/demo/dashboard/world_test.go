package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A still is a world for tests of the handler: members that answer what they are told to, and gateways that are one server of the test. It has no database: what the
// page makes of a real cluster is tested in e2e/dashboard.
type still struct {
	topology *topology.Topology
	gateway  string

	mu     sync.Mutex
	status cluster.Status // guarded by mu
	did    []string       // guarded by mu
}

func newStill(t testing.TB, gateway http.Handler) *still {
	t.Helper()
	text, err := configs.Read(configs.Default)
	if err != nil {
		t.Fatal(err)
	}
	world, err := topology.Parse(configs.Default, text)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	return &still{topology: world, gateway: server.URL, status: whole(world)}
}

// whole is the status of a cluster in which all is well.
func whole(world *topology.Topology) cluster.Status {
	s := cluster.Status{Name: "still", Taken: time.Now(), ServerVersion: "6.0.5", QueryRouter: cluster.QueryRouter{Kind: "devmongos"}}
	for _, shard := range world.Shards {
		for i, m := range shard.Members {
			one := cluster.Member{Name: fmt.Sprintf("%s/%s", shard.ID, m.DC), Shard: shard.ID, Datacenter: m.DC, Role: cluster.RoleSecondary, State: cluster.StateUp, Home: i == 0}
			lag := cluster.Duration(0)
			one.Lag = &lag
			if i == 0 {
				one.Role = cluster.RolePrimary
			}
			s.Members = append(s.Members, one)
		}
	}
	for _, dc := range world.Datacenters {
		s.Members = append(s.Members, cluster.Member{Name: "config/" + string(dc.ID), Datacenter: dc.ID, Role: cluster.RoleConfig, State: cluster.StateUp},
			cluster.Member{Name: "router/" + string(dc.ID), Datacenter: dc.ID, Role: cluster.RoleRouter, State: cluster.StateUp})
	}
	for _, l := range world.Links {
		s.Links = append(s.Links, cluster.Link{Between: l.Between, RTT: cluster.Duration(l.RTT)})
	}
	return s
}

func (s *still) Cluster() cluster.Cluster                { return stillCluster{s} }
func (s *still) Topology() *topology.Topology            { return s.topology }
func (s *still) Gateway(dc topology.DatacenterID) string { return s.gateway }

// change changes what the members answer.
func (s *still) change(f func(*cluster.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.status)
}

func (s *still) done(format string, a ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, fmt.Sprintf(format, a...))
	return nil
}

func (s *still) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.did, "; ")
}

type stillCluster struct{ *still }

var _ cluster.Cluster = stillCluster{}

func (c stillCluster) Name() string { return "still" }

func (c stillCluster) URI(dc topology.DatacenterID) (string, error) {
	return "", errors.New("there is no database")
}

func (c stillCluster) Status(context.Context) (cluster.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Taken = time.Now()
	s.Members = append([]cluster.Member{}, s.Members...)
	return s, nil
}

func (c stillCluster) Close(context.Context) error                 { return nil }
func (c stillCluster) Kill(_ context.Context, member string) error { return c.done("kill %s", member) }
func (c stillCluster) Pause(_ context.Context, member string) error {
	return c.done("pause %s", member)
}
func (c stillCluster) Start(_ context.Context, member string) error {
	if !strings.Contains(member, "/") {
		return cluster.Unknown(topology.ErrUnknownMember, member, []string{"nyc/NYC"})
	}
	return c.done("start %s", member)
}
func (c stillCluster) Apply(_ context.Context, fault wan.Fault) error {
	return c.done("%s", fault)
}
func (c stillCluster) Remove(_ context.Context, fault wan.Fault) error {
	return c.done("no more %s", fault)
}
func (c stillCluster) Heal(context.Context) error { return c.done("heal") }
func (c stillCluster) Grow(context.Context) error { return c.done("grow") }
func (c stillCluster) SetLag(_ context.Context, member string, lag time.Duration) error {
	return c.done("lag %s %s", member, lag)
}
