package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/zones"
)

// A glance shows what a read tells, of collections that are sharded.
func TestAGlanceShowsWhatAReadTells(t *testing.T) {
	c := open(t)
	const ns = "catglance.carts"
	sharded(t, c, ns)
	state, err := c.Read(t.Context(), []string{ns})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := state.Collection(ns)
	glance, err := c.Glance(t.Context(), 10_000, 100)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(glance.Collections, func(c zones.Collection) bool { return c.Name == ns })
	if at < 0 || !slices.IsSortedFunc(glance.Collections, func(a, b zones.Collection) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatalf("got %d collections, %s at %d, want them by name", len(glance.Collections), ns, at)
	}
	got := glance.Collections[at]
	if len(got.Chunks) < 3 || len(got.Ranges) == 0 {
		t.Errorf("got %d chunks, %d ranges", len(got.Chunks), len(got.Ranges))
	}
	for i := range want.Chunks {
		want.Chunks[i].Jumbo = false // nobody looks at it
	}
	if diff := cmp.Diff([]any{want.Key, want.Ranges, want.Chunks}, []any{got.Key, got.Ranges, got.Chunks}); diff != "" {
		t.Errorf("collection (-read +glance):\n%s", diff)
	}
	for i, shard := range state.Shards {
		if other := glance.Shards[i]; shard.ID != other.ID || !slices.Equal(shard.Zones, other.Zones) {
			t.Errorf("shard %d: got %s of %v, want %s of %v", i, other.ID, other.Zones, shard.ID, shard.Zones)
		}
	}
	for _, name := range glance.Collections {
		if name.Name == "config.system.sessions" {
			t.Error("the servers' own collection is shown")
		}
	}
	if few, err := c.Glance(t.Context(), 2, 1); err != nil || chunksOf(few.Collections) > 2 || len(few.Log) > 1 {
		t.Errorf("of 2 chunks and 1 entry: got %d and %d, %v", chunksOf(few.Collections), len(few.Log), err)
	}
}

func chunksOf(all []zones.Collection) (n int) {
	for _, c := range all {
		n += len(c.Chunks)
	}
	return n
}
