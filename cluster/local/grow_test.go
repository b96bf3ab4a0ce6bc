package local_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// worldAfter is worldBefore with Sydney and a place that only votes.
const (
	worldBefore = `
version: 1
datacenters: {NYC: {}, LON: {}}
links: [{between: [NYC, LON], rtt: 20ms}]
shards:
  nyc: {members: [{dc: NYC, priority: 2}, {dc: LON}]}
  lon: {members: [{dc: LON, priority: 2}, {dc: NYC}]}
`
	worldAfter = `
version: 1
datacenters: {NYC: {}, LON: {}, SYD: {}, VOTE: {role: voter}}
links:
  - {between: [NYC, LON], rtt: 20ms}
  - {between: [NYC, SYD], rtt: 30ms}
  - {between: [LON, SYD], rtt: 30ms}
  - {between: [NYC, VOTE], rtt: 3ms}
  - {between: [LON, VOTE], rtt: 3ms}
  - {between: [SYD, VOTE], rtt: 3ms}
shards:
  nyc: {members: [{dc: NYC, priority: 2}, {dc: LON}, {dc: SYD, priority: 1.5}]}
  lon: {members: [{dc: LON, priority: 2}, {dc: NYC}, {dc: SYD}, {dc: VOTE}]}
  syd: {members: [{dc: SYD, priority: 2}, {dc: NYC}, {dc: LON}]}
`
)

// A cluster with users, operated from another process, gets datacenters, members, an arbiter and a shard; a call that is interrupted is called again.
func TestGrow(t *testing.T) {
	t.Parallel()
	c := start(t, local.Options{
		Name: "growing", Topology: parse(t, worldBefore), Grown: parse(t, worldAfter), Auth: true,
	})
	r, err := local.Attach(t.Context(), c.Name(), filepath.Dir(c.Dir()))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(t.Context(), "syd/SYD"); !errors.Is(err, topology.ErrUnknownMember) {
		t.Errorf("kill a member that is not there yet: got %v, want ErrUnknownMember", err)
	}
	if _, err := c.Dialer("SYD"); !errors.Is(err, topology.ErrUnknownDatacenter) {
		t.Errorf("dial from a datacenter that is not there yet: got %v, want ErrUnknownDatacenter", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	if err := r.Grow(soon); err == nil {
		t.Error("grown in 0.7 s: nothing was interrupted")
	}
	for range 2 { // what is grown grows no more
		if err := r.Grow(t.Context()); err != nil {
			t.Fatalf("%v%s", err, clustertest.Hint(err))
		}
	}
	clustertest.AwaitWhole(t, r) // a member of a busy machine may be late with an answer
	after := parse(t, worldAfter)
	for _, got := range []*topology.Topology{c.Topology(), r.Topology()} {
		if len(got.Datacenters) != len(after.Datacenters) || len(got.Shards) != len(after.Shards) {
			t.Errorf("topology: got %+v, want the grown one", got)
		}
	}
	configured(t, c, "nyc/NYC", 3)
	configured(t, c, "lon/LON", 4)
	configured(t, c, "config/NYC", 4)

	uri, err := r.SecretURI("SYD")
	if err != nil {
		t.Fatal(err)
	}
	var shards struct {
		Shards []bson.Raw `bson:"shards"`
	}
	admin := connect(t, options.Client().ApplyURI(uri)).Database("admin")
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "listShards", Value: 1}}).Decode(&shards); err != nil {
		t.Fatal(err)
	}
	if len(shards.Shards) != len(after.Shards) {
		t.Errorf("got %d shards, want %d", len(shards.Shards), len(after.Shards))
	}
	if err := r.Kill(t.Context(), "nyc/SYD"); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), "nyc/SYD"); err != nil {
		t.Errorf("start a member that was added: %v", err)
	}
}

// configured checks that all members of a set have the votes that they should have.
func configured(t *testing.T, c *local.Cluster, member string, votes int) {
	t.Helper()
	uri, err := c.SecretMemberURI(member)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Config struct {
			Members []struct {
				Host     string
				Votes    int
				Priority float64
			}
		}
	}
	admin := connect(t, options.Client().ApplyURI(uri)).Database("admin")
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "replSetGetConfig", Value: 1}}).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, m := range answer.Config.Members {
		got += m.Votes
	}
	if got != votes || len(answer.Config.Members) != votes {
		t.Errorf("set of %s: got %+v, want %d members with a vote each", member, answer.Config.Members, votes)
	}
}

func parse(t *testing.T, text string) *topology.Topology {
	t.Helper()
	world, err := topology.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return world
}
