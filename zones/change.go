package zones

import (
	"fmt"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// A Change is one step of a plan. Only this package defines changes, so a switch over them can be complete. String is the line that the user
// sees; it begins with +, - or ~.
type Change interface {
	fmt.Stringer
	subject() Subject
}

// A Subject is what a change is about: the shards of a zone, or a collection. One of the two is empty.
type Subject struct {
	Zone       topology.ZoneID
	Collection string
}

// SubjectOf returns what a change is about.
func SubjectOf(c Change) Subject { return c.subject() }

// AddShardToZone puts a shard into a zone. It is idempotent.
type AddShardToZone struct {
	Shard topology.ShardID `json:"shard"`
	Zone  topology.ZoneID  `json:"zone"`
}

// RemoveShardFromZone takes a shard out of a zone. The server refuses (ZoneStillInUse) while it is the zone's last and the zone has ranges.
type RemoveShardFromZone struct {
	Shard topology.ShardID `json:"shard"`
	Zone  topology.ZoneID  `json:"zone"`
}

// HoldBalancing tells the balancer to leave a collection alone (noBalance), while its ranges are being replaced.
type HoldBalancing struct {
	Collection string `json:"collection"`
}

// ReleaseBalancing ends HoldBalancing. A plan has it only for collections that were balanced before.
type ReleaseBalancing struct {
	Collection string `json:"collection"`
}

// RemoveRange takes a range of shard keys from its zone. Bounds that match none are silently ignored by the server, so it is read back.
type RemoveRange struct {
	Collection string `json:"collection"`
	Range      Range  `json:"range"`
}

// AddRange assigns a range of shard keys to a zone.
type AddRange struct {
	Collection string `json:"collection"`
	Range      Range  `json:"range"`
}

// ShardCollection shards a collection that is empty or does not exist, by a key. With its ranges in place before, every chunk is made in its zone.
type ShardCollection struct {
	Collection string       `json:"collection"`
	Key        topology.Key `json:"key"`
}

// SetValidator replaces a collection's validator. Validator nil removes it. A collection that does not exist is made with it.
type SetValidator struct {
	Collection string           `json:"collection"`
	Validator  shardkey.ExtJSON `json:"validator,omitempty"`
	Level      string           `json:"level,omitempty"`
	Action     string           `json:"action,omitempty"`
}

func (c AddShardToZone) subject() Subject      { return Subject{Zone: c.Zone} }
func (c RemoveShardFromZone) subject() Subject { return Subject{Zone: c.Zone} }
func (c HoldBalancing) subject() Subject       { return Subject{Collection: c.Collection} }
func (c ReleaseBalancing) subject() Subject    { return Subject{Collection: c.Collection} }
func (c RemoveRange) subject() Subject         { return Subject{Collection: c.Collection} }
func (c AddRange) subject() Subject            { return Subject{Collection: c.Collection} }
func (c ShardCollection) subject() Subject     { return Subject{Collection: c.Collection} }
func (c SetValidator) subject() Subject        { return Subject{Collection: c.Collection} }

// String is "+ zone NYC: shard nyc".
func (c AddShardToZone) String() string { return fmt.Sprintf("+ zone %s: shard %s", c.Zone, c.Shard) }

// String is "- zone NYC: shard nyc".
func (c RemoveShardFromZone) String() string {
	return fmt.Sprintf("- zone %s: shard %s", c.Zone, c.Shard)
}

// String is "~ shop.carts: balancing held".
func (c HoldBalancing) String() string { return "~ " + c.Collection + ": balancing held" }

// String is "~ shop.carts: balancing released".
func (c ReleaseBalancing) String() string { return "~ " + c.Collection + ": balancing released" }

// String is "- shop.carts: {dc: "NYC", id: MinKey} to {dc: "NYC\u0000", id: MinKey} in NYC".
func (c RemoveRange) String() string { return "- " + c.Collection + ": " + c.Range.String() }

// String is "+ shop.carts: {dc: "NYC", id: MinKey} to {dc: "NYC\u0000", id: MinKey} in NYC".
func (c AddRange) String() string { return "+ " + c.Collection + ": " + c.Range.String() }

// String is "+ shop.carts: sharded by {dc: 1, id: 1}".
func (c ShardCollection) String() string {
	return "+ " + c.Collection + ": sharded by " + c.Key.String()
}

// String is "~ shop.carts: validator (level strict, action error)" or "- shop.carts: validator". The validator itself can be as long as a file.
func (c SetValidator) String() string {
	if c.Validator == nil {
		return "- " + c.Collection + ": validator"
	}
	return fmt.Sprintf("~ %s: validator (level %s, action %s)", c.Collection, c.Level, c.Action)
}

// String is "{dc: "NYC", id: MinKey} to {dc: "NYC\u0000", id: MinKey} in NYC".
func (r Range) String() string {
	return fmt.Sprintf("%s to %s in %s", shardkey.Format(r.Min), shardkey.Format(r.Max), r.Zone)
}

// MovesData reports whether the balancer may move documents because of a change: whether it is one of a zone's shards, or of ranges. Making a collection in its
// zones moves none, and what a removed range or a removed shard no longer binds may go elsewhere.
func MovesData(c Change) bool {
	return effectOf(c) != nil
}

// Drops reports whether a change takes something away that somebody made: a range, a shard's membership of a zone, or a whole validator.
func Drops(c Change) bool {
	if set, ok := c.(SetValidator); ok {
		return set.Validator == nil
	}
	e := effectOf(c)
	return e != nil && e.gone
}
