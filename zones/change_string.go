package zones

import (
	"fmt"

	"github.com/geoshard/geoshard/shardkey"
)

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
