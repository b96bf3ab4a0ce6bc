package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// A WorldError is all that keeps a topology and a cluster from going together.
type WorldError struct{ Problems []error }

// Error has one line for each problem.
func (e *WorldError) Error() string {
	return lines(e.Problems, error.Error)
}

// Hint has one line for each problem, in the same order.
func (e *WorldError) Hint() string {
	return lines(e.Problems, hint.Of)
}

// Unwrap returns the problems.
func (e *WorldError) Unwrap() []error { return e.Problems }

// lines are the texts of errors, each once.
func lines(problems []error, text func(error) string) string {
	var all []string
	for _, err := range problems {
		if line := text(err); line != "" && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

// asError is the problem itself if it is the only one.
func asError(problems []error) error {
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return problems[0]
	default:
		return &WorldError{Problems: problems}
	}
}

// An UnknownShardError says that a zone is to be on a shard that the cluster does not have.
type UnknownShardError struct {
	Zone  topology.ZoneID
	Shard topology.ShardID
	// Known are the cluster's shards, Meant the one that the name may be a slip of, or empty.
	Known []topology.ShardID
	Meant topology.ShardID
}

func (e *UnknownShardError) Error() string {
	return fmt.Sprintf("zone %s: the cluster has no shard %q", e.Zone, e.Shard)
}

// Hint names the shard that may be meant, or all of them.
func (e *UnknownShardError) Hint() string {
	if e.Meant != "" {
		return fmt.Sprintf("did you mean %q?", e.Meant)
	}
	names := make([]string, len(e.Known))
	for i, id := range e.Known {
		names[i] = string(id)
	}
	if len(names) == 0 {
		return "add the shard to the cluster first (addShard)"
	}
	return fmt.Sprintf("its shards are %s; add %s to the cluster first (addShard), or take it out of the zone", strings.Join(names, ", "), e.Shard)
}

// An UnknownZoneError says that a namespace names a zone that the topology does not declare.
type UnknownZoneError struct {
	Collection string
	Zone       topology.ZoneID
	// Meant is the zone that the name may be a slip of, or empty.
	Meant topology.ZoneID
}

func unknownZone(world *topology.Topology, collection string, zone topology.ZoneID) error {
	known := make([]topology.ZoneID, len(world.Zones))
	for i, z := range world.Zones {
		known[i] = z.ID
	}
	return &UnknownZoneError{Collection: collection, Zone: zone, Meant: spelling.Nearest(string(zone), known)}
}

func (e *UnknownZoneError) Error() string {
	return fmt.Sprintf("%s: the zone %q is not declared", e.Collection, e.Zone)
}

// Hint names the zone that may be meant.
func (e *UnknownZoneError) Hint() string {
	if e.Meant != "" {
		return fmt.Sprintf("did you mean %q?", e.Meant)
	}
	return fmt.Sprintf("declare %s under zones, with its shards", e.Zone)
}

// A RangeOverlapError says that a namespace gives the same values to zones twice.
type RangeOverlapError struct {
	Collection    string
	First, Second string
}

func (e *RangeOverlapError) Error() string {
	return fmt.Sprintf("%s: %s overlaps with %s", e.Collection, e.Second, e.First)
}

// Hint says how ranges end.
func (e *RangeOverlapError) Hint() string {
	return "give each value to one zone; the end of a range is not part of it, so two ranges can meet"
}

// A BoundsError says that a range of a namespace has values or bounds that make no range.
type BoundsError struct {
	Collection string
	// Range counts from 0, as the paths of the topology's messages do.
	Range int
	Msg   string
}

func (e *BoundsError) Error() string {
	return fmt.Sprintf("%s: ranges[%d]: %s", e.Collection, e.Range, e.Msg)
}

// Hint says what a range is made of.
func (e *BoundsError) Hint() string {
	return "write values, or from (inclusive) and to (exclusive) of one type with from below to; one of the two may be left out"
}

// A HashedKeyError says that a collection's zone field is hashed, so that no range of values can follow it.
type HashedKeyError struct {
	Collection string
	Key        topology.Key
}

func (e *HashedKeyError) Error() string {
	return fmt.Sprintf("%s is sharded by %s: ranges of a hashed field have 64-bit integers as bounds, not values of %s", e.Collection, e.Key, e.Key[0].Name)
}

// Hint names the key to reshard to.
func (e *HashedKeyError) Hint() string {
	second := "_id"
	if e.Key[0].Name == second {
		second = "another field"
	}
	return fmt.Sprintf("reshard it, for example by {%s: 1, %s: hashed}, which spreads the documents of a zone as well", e.Key[0].Name, second)
}

// A NamespaceTypeError says that a declared namespace is a view or a time-series collection.
type NamespaceTypeError struct {
	Collection string
	// TimeSeries is false for a view.
	TimeSeries bool
}

func (e *NamespaceTypeError) Error() string {
	if e.TimeSeries {
		return e.Collection + " is a time-series collection: its shard key is of its metadata and time, and cannot follow a zone field here"
	}
	return e.Collection + " is a view: it has no documents of its own to place"
}

// Hint says what to declare instead.
func (e *NamespaceTypeError) Hint() string {
	if e.TimeSeries {
		return "take it out of namespaces"
	}
	return "declare the collection that the view reads from"
}
