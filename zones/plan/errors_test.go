package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

func pointer(v topology.Value) *topology.Value { return &v }

// What keeps a world and a cluster from going together; testdata/errors.txt is what the user reads.
func TestErrorsSayWhatWhereAndWhatToDo(t *testing.T) {
	carts := func(w *topology.Topology) *topology.Namespace { return &w.Namespaces[0] }
	ranges := func(r ...topology.Range) func(*topology.Topology, *zones.State) {
		return func(w *topology.Topology, _ *zones.State) { carts(w).Ranges = r }
	}
	var got strings.Builder
	for _, c := range []struct {
		name  string
		spoil func(*topology.Topology, *zones.State)
		want  error // nil for several problems
	}{
		{"a shard that is misspelt", func(w *topology.Topology, _ *zones.State) { w.Zones[1].Shards = []topology.ShardID{"lno"} }, ErrUnknownShard},
		{"a shard that is not there", func(w *topology.Topology, _ *zones.State) { w.Zones[1].Shards = []topology.ShardID{"tokyo", "lon"} }, ErrUnknownShard},
		{"a shard of a cluster without shards", func(w *topology.Topology, s *zones.State) { s.Shards, w.Zones = nil, w.Zones[:1] }, ErrUnknownShard},
		{"a zone that is misspelt", ranges(topology.Range{Zone: "NCY", Values: []topology.Value{topology.StringOf("US")}}), ErrUnknownZone},
		{"a zone that is not there", func(w *topology.Topology, _ *zones.State) {
			carts(w).Unknown, carts(w).UnknownZone = topology.UnknownToZone, "ELSEWHERE"
		}, ErrUnknownZone},
		{"a value in two zones", ranges(topology.Range{Zone: "NYC", Values: []topology.Value{topology.StringOf("US")}}, topology.Range{Zone: "LON", Values: []topology.Value{topology.StringOf("US")}}), ErrOverlap},
		{"a value in a range", ranges(topology.Range{Zone: "NYC", From: pointer(topology.IntegerOf(1)), To: pointer(topology.IntegerOf(9))}, topology.Range{Zone: "LON", Values: []topology.Value{topology.FloatOf(5)}}), ErrOverlap},
		{"an open range over other types", ranges(topology.Range{Zone: "NYC", From: pointer(topology.IntegerOf(1))}, topology.Range{Zone: "LON", Values: []topology.Value{topology.StringOf("GB")}}), ErrOverlap},
		{"bounds of two types", ranges(topology.Range{Zone: "NYC", From: pointer(topology.IntegerOf(1)), To: pointer(topology.StringOf("Z"))}), ErrBounds},
		{"bounds the wrong way round", ranges(topology.Range{Zone: "NYC", From: pointer(topology.IntegerOf(9)), To: pointer(topology.FloatOf(1.5))}), ErrBounds},
		{"neither values nor bounds", ranges(topology.Range{Zone: "NYC"}), ErrBounds},
		{"a value without a type", ranges(topology.Range{Zone: "NYC", Values: make([]topology.Value, 1)}), ErrBounds},
		{"all at once", func(w *topology.Topology, _ *zones.State) {
			w.Zones[1].Shards = []topology.ShardID{"lno"}
			carts(w).Ranges = []topology.Range{{Zone: "NCY", Values: []topology.Value{topology.StringOf("US")}}, {Zone: "SYD"}}
		}, nil},
	} {
		w := sampleWorld(t)
		s := sampleState(t, w)
		c.spoil(w, s)
		plan, err := New(w, s, nil, Options{}, now)
		if err == nil || plan != nil {
			t.Errorf("%s: got plan %v and no error", c.name, plan)
			continue
		}
		var several *WorldError
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &several) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if hint.Of(err) == "" {
			t.Errorf("%s: %v has no way out", c.name, err)
			continue
		}
		fmt.Fprintf(&got, "== %s\n%v\nhint: %s\n", c.name, err, strings.ReplaceAll(hint.Of(err), "\n", "\nhint: "))
	}
	testkit.Golden(t, "testdata/errors.txt", got.String())
}

func TestSeveralProblemsAreFoundByTheirTypes(t *testing.T) {
	w := sampleWorld(t)
	s := sampleState(t, w)
	w.Zones[1].Shards = []topology.ShardID{"lno"}
	w.Namespaces[0].Ranges = []topology.Range{{Zone: "NYC"}}
	_, err := Want(w, s, Options{})
	if !errors.Is(err, ErrUnknownShard) || !strings.Contains(hint.Of(err), `"lon"`) || !errors.Is(err, ErrBounds) {
		t.Errorf("got %v, want both an unknown shard, lon meant, and a range that is none", err)
	}
}
