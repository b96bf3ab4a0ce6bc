package container_test

import (
	"errors"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/container"
)

// oneGrown is the world of one, and a second datacenter.
const oneGrown = `version: 1
datacenters:
  HERE: {name: Here}
  THERE: {name: There, role: passive}
links:
  - {between: [HERE, THERE], rtt: 5ms}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
zones:
  Z0: {shards: [s0]}
`

// Closing a cluster ends its growth, and what that had begun goes with the rest. (e2e/scenarios lets clusters grow to the end.)
func TestCloseEndsAGrowth(t *testing.T) {
	api, _ := docker(t)
	c := run(t, container.WithTopology(parse(t, one)), container.WithGrowth(parse(t, oneGrown)))
	grown := make(chan error, 1)
	go func() { grown <- c.Grow(t.Context()) }()
	time.Sleep(300 * time.Millisecond) // at some moment of it
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-grown; !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("grow: got %v, want ErrClosed", err)
	}
	if err := c.Grow(t.Context()); !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("grow what is closed: got %v, want ErrClosed", err)
	}
	awaitNothing(t, api, c.Name())
}
