package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A diff is the way from a state to a layout.
//
// The order of its steps is the one that the server accepts at every point, and in which every range has a shard: shards enter their zones; collection by
// collection, ranges go and come, and the collection is sharded with its ranges in place; shards leave zones; validators come last, when what they refuse
// has a place to go. Only a collection that is to be sharded has its validator before: so it is on all shards, whichever of them will own chunks.
type diff struct {
	state   *zones.State
	applied *zones.Layout
	options Options
	result  zones.Layout
	report
	// The steps, by the part of the order.
	enter, ranges, leave, validators []zones.Step
}

// diffLayouts compares a state with a layout. The result is the layout that the state will have after the steps.
func diffLayouts(state *zones.State, want zones.Layout, applied *zones.Layout, o Options) *diff {
	if applied == nil {
		applied = &zones.Layout{}
	}
	d := &diff{state: state, applied: applied, options: o}
	for _, p := range want.Collections {
		c, ok := state.Collection(p.Collection)
		if !ok {
			c.Name = p.Collection
		}
		d.collection(c, p)
	}
	now := state.ShardsByZone()
	for _, z := range want.Zones {
		d.zone(z, now[z.Zone])
	}
	return d
}

// zone compares the shards of a zone. Collections come before it: what their ranges will be decides whether a zone may lose its last shard.
func (d *diff) zone(want zones.ZoneShards, now []topology.ShardID) {
	before, wasApplied := d.applied.ShardsOf(want.Zone)
	will := slices.Clone(want.Shards)
	for _, shard := range want.Shards {
		if slices.Contains(now, shard) {
			continue
		}
		d.enter = append(d.enter, intended(zones.AddShardToZone{Shard: shard, Zone: want.Zone}, fmt.Sprintf("%s belongs to zone %s", shard, want.Zone),
			slices.Contains(before, shard), ", and was taken out of it since the last apply"))
	}
	for _, shard := range now {
		switch {
		case slices.Contains(want.Shards, shard):
			continue
		case !d.options.Prune:
			d.note("undeclared-shard", want.Zone, "declare it, or take it out with --prune", "shard %s is in zone %s, and is not declared to be", shard, want.Zone)
		case len(want.Shards) == 0 && d.inUse(want.Zone):
			d.fail("zone-in-use", want.Zone, "declare these collections, or remove their ranges",
				"shard %s stays in zone %s: ranges of other collections belong to it", shard, want.Zone)
		default:
			d.leave = append(d.leave, intended(zones.RemoveShardFromZone{Shard: shard, Zone: want.Zone}, fmt.Sprintf("%s is not declared to be in zone %s", shard, want.Zone),
				wasApplied && !slices.Contains(before, shard), ", and was put into it since the last apply"))
			continue
		}
		will = append(will, shard)
	}
	slices.Sort(will)
	d.result.Zones = append(d.result.Zones, zones.ZoneShards{Zone: want.Zone, Shards: will})
}

// inUse says whether the zone will have ranges.
func (d *diff) inUse(zone topology.ZoneID) bool {
	of := func(ranges []zones.Range) bool {
		return slices.ContainsFunc(ranges, func(r zones.Range) bool { return r.Zone == zone })
	}
	for _, p := range d.result.Collections {
		if of(p.Ranges) {
			return true
		}
	}
	return slices.ContainsFunc(d.state.Collections, func(c zones.Collection) bool {
		_, planned := d.result.Placement(c.Name)
		return !planned && of(c.Ranges)
	})
}

func (d *diff) collection(c zones.Collection, want zones.Placement) {
	if c.Sharded && !slices.Equal(c.Key, want.Key) {
		d.fail("other-key", c.Name, "", "it is sharded by %s; the ranges to make are of the key %s", c.Key, want.Key)
		return
	}
	was := appliedTo(d.applied, want)
	ranges := diffRanges(c, want, d.options)
	var steps []zones.Step
	for _, f := range ranges.remove {
		steps = append(steps, was.removal(c, f))
	}
	for _, a := range ranges.add {
		steps = append(steps, was.addition(c, a))
	}
	if ranges.reassigned && c.Sharded && !c.NoBalance {
		cause := steps[0].Cause
		steps = append(
			slices.Insert(steps, 0, zones.Step{Change: zones.HoldBalancing{Collection: c.Name}, Cause: cause, Reason: "no chunk may move while its range is between two zones"}),
			zones.Step{Change: zones.ReleaseBalancing{Collection: c.Name}, Cause: cause, Reason: "the ranges are in place again"},
		)
	}
	for _, r := range ranges.undeclared {
		d.note("undeclared-range", c.Name, "declare it, or remove it with --prune", "the range %s is not declared", r)
	}
	shard := d.options.Shard && shardable(c) && len(obstacles(c, want.Key)) == 0
	result := zones.Placement{Collection: c.Name, Key: want.Key, Ranges: ranges.result}
	var validator []zones.Step
	if c.Unread != "" {
		result.Reject, _ = zones.SplitValidator(c.Validator) // which may be unknown: it stays as it is
	} else if c.Exists || shard {
		result.Reject, validator = d.validator(c, want, was)
	} else if want.Reject != nil {
		d.note("validator-waits", c.Name, "plan again when it exists, or shard it with --shard-collections", "the collection does not exist yet, so nothing can refuse undeclared values")
	}
	if shard {
		// dropping a collection drops its ranges as well
		dropped := len(steps) > 0 && !slices.ContainsFunc(steps, func(s zones.Step) bool { return s.Cause != zones.CauseDrift })
		steps = append(append(steps, validator...), intended(zones.ShardCollection{Collection: c.Name, Key: want.Key}, "it is declared, and has no documents yet; with its ranges in place each chunk is made in its zone", dropped, ""))
	} else {
		d.validators = append(d.validators, validator...)
	}
	d.ranges = append(d.ranges, steps...)
	d.result.Collections = append(d.result.Collections, result)
}

// validator compares geoshard's part of a validator, and returns what it will be.
func (d *diff) validator(c zones.Collection, want zones.Placement, was appliedPlacement) (will bson.Raw, steps []zones.Step) {
	if want.Reject != nil && c.Validator != nil && (c.ValidationAction == "warn" || c.ValidationLevel == "off") {
		d.warn("validator-does-not-refuse", c.Name, `set validationLevel: "strict" and validationAction: "error" with collMod`,
			"its validator has level %s and action %s, so documents with undeclared values are let in", cmp.Or(c.ValidationLevel, "strict"), cmp.Or(c.ValidationAction, "error"))
	}
	change, ok := validatorStep(c, want.Reject)
	if !ok {
		return want.Reject, nil
	}
	if now, _ := zones.SplitValidator(c.Validator); want.Reject != nil && now == nil && c.Exists && !c.Sharded && !shardable(c) {
		d.warn("validator-waits", c.Name, "give all documents a declared value and shard it first, as is said under what is to be done by hand, then plan again",
			"it has documents and is not sharded: they may lack declared values, and with the validator each update of such a document would fail")
		return nil, nil
	}
	version, _ := serverversion.Parse(d.state.Version) // one that cannot be read is the oldest
	if owner := ownerInPlaceOfPrimary(c); owner != "" && serverversion.HiddenValidators.Holds(version) {
		now, _ := zones.SplitValidator(c.Validator)
		db, _, _ := strings.Cut(c.Name, ".")
		d.fail("validator-out-of-reach", c.Name,
			fmt.Sprintf(`make a shard with chunks the primary, which takes unsharded collections along, and plan again: db.adminCommand({movePrimary: %q, to: %q})`, db, owner),
			"its validator stays as it is: MongoDB %s changes validators on shards that own chunks alone, and shows that of %s, the primary shard of %s, which owns none", d.state.Version, c.Primary, db)
		return now, nil
	}
	reason := "documents with values that are not declared are refused (unknown: reject)"
	if want.Reject == nil {
		reason = "undeclared values are not refused any more"
	}
	return want.Reject, []zones.Step{intended(change, reason, was.known && bytes.Equal(was.Reject, want.Reject), "; it was changed since the last apply")}
}

// ownerInPlaceOfPrimary names a shard that owns chunks of a sharded collection of which the primary shard of the database owns none; "" where it owns some.
func ownerInPlaceOfPrimary(c zones.Collection) (owner topology.ShardID) {
	if !c.Sharded || c.Primary == "" {
		return ""
	}
	for _, chunk := range c.Chunks {
		if chunk.Shard == c.Primary {
			return ""
		}
		owner = min(cmp.Or(owner, chunk.Shard), chunk.Shard)
	}
	return owner
}
