package local

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

func TestStartWantsChildMain(t *testing.T) {
	childMainCalled.Store(false)
	defer childMainCalled.Store(true)
	_, err := Start(t.Context(), Options{})
	if hint.Of(err) == "" {
		t.Errorf("got %v, want an error with a hint", err)
	}
}

// A server whose port somebody else took at the last moment gets another one.
func TestTakenPortIsReplaced(t *testing.T) {
	world, err := topology.Parse("one", []byte("version: 1\ndatacenters: {A: {name: A}}\nshards: {s: {members: [{dc: A, priority: 1}]}}\nzones: {A: {shards: [s]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Options{Name: "taken", Dir: t.TempDir(), Topology: world}.withDefaults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := prepare(o, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	p, err := c.roster.Member("s/A")
	if err != nil {
		t.Fatal(err)
	}
	before := p.realPort()
	intruder, err := net.Listen("tcp4", loopback(before))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = intruder.Close() }()
	if err := c.spawn(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if p.realPort() == before {
		t.Errorf("got port %d again", before)
	}
	t.Logf("moved from %d to %d", before, p.realPort())
}
