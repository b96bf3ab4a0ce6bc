package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// What keeps a topology and a cluster from going together, for errors.Is. Each has a text of its own and a hint.
var (
	// ErrUnknownShard: a zone is to be on a shard that the cluster does not have.
	ErrUnknownShard = errors.New("no such shard")
	// ErrUnknownZone: a namespace names a zone that the topology does not declare.
	ErrUnknownZone = errors.New("no such zone")
	// ErrOverlap: a namespace gives the same values to zones twice.
	ErrOverlap = errors.New("ranges overlap")
	// ErrBounds: a range of a namespace has values or bounds that make no range.
	ErrBounds = errors.New("no range")
	// ErrHashedKey: a collection's zone field is hashed, so that no range of values can follow it.
	ErrHashedKey = errors.New("hashed zone field")
	// ErrRefused: something was not done that would have harmed, or could not be meant.
	ErrRefused = errors.New("refused")
	// ErrNothingApplied: the journal has no apply to go back from.
	ErrNothingApplied = errors.New("no apply is in the journal")
)

// A WorldError is all that keeps a topology and a cluster from going together, where it is more than one thing.
type WorldError struct{ Problems []error }

// Error has one line for each problem.
func (e *WorldError) Error() string { return lines(e.Problems, error.Error) }

// Hint has one line for each problem, in the same order.
func (e *WorldError) Hint() string { return lines(e.Problems, hint.Of) }

// Unwrap returns the problems.
func (e *WorldError) Unwrap() []error { return e.Problems }

// lines are the texts of errors, each once.
func lines(problems []error, text func(error) string) string {
	var all []string
	for _, err := range problems {
		if line := text(err); line != "" {
			all = addOnce(all, line)
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

// UnknownShard is the error of a zone on a shard that is not among the known ones.
func UnknownShard(zone topology.ZoneID, shard topology.ShardID, known []topology.ShardID) error {
	add := "add the shard to the cluster first (addShard)"
	if len(known) > 0 {
		add = fmt.Sprintf("its shards are %s; add %s to the cluster first (addShard), or take it out of the zone", spelling.List(known), shard)
	}
	return hint.NewOf(ErrUnknownShard, spelling.Hint(string(shard), known, add), "zone %s: the cluster has no shard %q", zone, shard)
}

func unknownZone(world *topology.Topology, collection string, zone topology.ZoneID) error {
	return hint.NewOf(ErrUnknownZone, spelling.Hint(string(zone), world.ZoneIDs(), fmt.Sprintf("declare %s under zones, with its shards", zone)),
		"%s: the zone %q is not declared", collection, zone)
}

func hashedKey(collection string, key topology.Key) error {
	second := "_id"
	if key[0].Name == second {
		second = "another field"
	}
	return hint.NewOf(ErrHashedKey, fmt.Sprintf("reshard it, for example by {%s: 1, %s: hashed}, which spreads the documents of a zone as well", key[0].Name, second),
		"%s is sharded by %s: ranges of a hashed field have 64-bit integers as bounds, not values of %s", collection, key, key[0].Name)
}
