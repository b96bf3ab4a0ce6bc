package layout_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
)

// world has the datacenters of its shards' members; a shard is written "name dc:priority dc:priority".
func world(shards ...string) *topology.Topology {
	t := &topology.Topology{}
	for _, text := range shards {
		words := strings.Fields(text)
		shard := topology.Shard{ID: topology.ShardID(words[0])}
		for _, word := range words[1:] {
			dc, priority, _ := strings.Cut(word, ":")
			p, _ := strconv.ParseFloat(priority, 64)
			shard.Members = append(shard.Members, topology.Member{DC: topology.DatacenterID(dc), Priority: p})
			if _, known := t.Datacenter(topology.DatacenterID(dc)); !known {
				t.Datacenters = append(t.Datacenters, topology.Datacenter{ID: topology.DatacenterID(dc)})
			}
		}
		t.Shards = append(t.Shards, shard)
	}
	return t
}

const (
	smallShard = "a A:2 B:1"
	grownShard = "a A:2 B:1 C:0.5"
	newShard   = "c C:1"
)

func TestGrowthComesAfterWhatIsThere(t *testing.T) {
	small, grown := world(smallShard), world(grownShard, newShard)
	nodes, first, err := layout.OfGrowing(small, grown, false)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := layout.Of(small, false)
	if err != nil {
		t.Fatal(err)
	}
	if first != len(alone) {
		t.Errorf("got %d nodes at first, want %d", first, len(alone))
	}
	for i, n := range alone {
		if nodes[i] != n {
			t.Errorf("node %d: got %+v, want %+v as without growth", i, nodes[i], n)
		}
	}
	var added []string
	for _, n := range nodes[first:] {
		added = append(added, n.Name)
	}
	if got, want := strings.Join(added, " "), "a/C c/C config/C router/C"; got != want {
		t.Errorf("added: got %s, want %s", got, want)
	}
}

func TestLinksStayAsTheyAre(t *testing.T) {
	small, grown := world(smallShard), world(grownShard, newShard)
	small.Links = []topology.Link{{Between: [2]topology.DatacenterID{"A", "B"}, RTT: 20}}
	grown.Links = []topology.Link{{Between: [2]topology.DatacenterID{"B", "A"}, RTT: 20}, {Between: [2]topology.DatacenterID{"A", "C"}, RTT: 30}}
	if _, _, err := layout.OfGrowing(small, grown, false); err != nil {
		t.Errorf("the same link, declared the other way round: %v", err)
	}
	grown.Links[0].RTT = 21
	if _, _, err := layout.OfGrowing(small, grown, false); err == nil || !strings.Contains(err.Error(), "A and B") {
		t.Errorf("another link: got %v, want it named", err)
	}
}

func TestWithoutGrowthNothingIsAdded(t *testing.T) {
	nodes, first, err := layout.OfGrowing(world(smallShard), nil, true)
	if err != nil || first != len(nodes) || first == 0 {
		t.Errorf("got %d of %d nodes, %v", first, len(nodes), err)
	}
}

func TestAClusterDoesNotShrinkByGrowing(t *testing.T) {
	for name, c := range map[string]struct {
		small, grown []string
		want         string
	}{
		"a member less":    {[]string{grownShard}, []string{smallShard}, "a/C is not there"},
		"a shard less":     {[]string{smallShard, newShard}, []string{grownShard}, "c/C is not there"},
		"another priority": {[]string{smallShard}, []string{"a A:2 B:1.5 C:0.5"}, "priority 1.5, not 1"},
		"another home":     {[]string{smallShard}, []string{"a A:2 B:1 C:3"}, "another than its set's home"},
	} {
		_, _, err := layout.OfGrowing(world(c.small...), world(c.grown...), false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
