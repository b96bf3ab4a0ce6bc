package layout

import (
	"fmt"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// OfGrowing lays out a world that will grow: first come the nodes of the world as it is, as many as first says, then those that the grown one adds, in its order.
// Every node and link of the first world has to be in the grown one, as it is: a cluster that runs gets members, and neither loses nor changes any. A nil grown adds nothing.
func OfGrowing(t, grown *topology.Topology, withCores bool) (nodes []Node, first int, err error) {
	nodes, err = Of(t, withCores)
	if err != nil || grown == nil {
		return nodes, len(nodes), err
	}
	for _, l := range t.Links {
		after, _ := grown.Link(l.Between[0], l.Between[1])
		if after.Between = l.Between; after != l { // it may be declared the other way round
			return nil, 0, cannotGrow("the link between %s and %s is another there", l.Between[0], l.Between[1])
		}
	}
	first = len(nodes)
	all, err := Of(grown, withCores)
	if err != nil {
		return nil, 0, err
	}
	had := map[string]Node{}
	for _, n := range nodes {
		had[n.Name] = n
	}
	for _, n := range all {
		before, there := had[n.Name]
		if !there {
			nodes = append(nodes, n)
			continue
		}
		delete(had, n.Name)
		n.ElectionSpread = before.ElectionSpread // how a set elects depends on how many it has; those that run keep what they have
		if n.Kind == Config {
			n.Priority = before.Priority
		}
		if before != n {
			return nil, 0, cannotGrow("%s is %s there", n.Name, difference(before, n))
		}
	}
	for _, n := range nodes[:first] {
		if _, missing := had[n.Name]; missing {
			return nil, 0, cannotGrow("%s is not there", n.Name)
		}
	}
	return nodes, first, nil
}

func cannotGrow(format string, args ...any) error {
	return hint.New(fmt.Errorf("lay out the grown cluster: "+format, args...),
		"a cluster grows by datacenters, shards and members; those that it has stay as they are, with their priorities and links")
}

// difference says how a node of one name differs.
func difference(before, after Node) string {
	switch {
	case before.Home != after.Home:
		return "another than its set's home"
	case before.Priority != after.Priority:
		return fmt.Sprintf("of priority %g, not %g,", after.Priority, before.Priority)
	default:
		return "of another kind"
	}
}
