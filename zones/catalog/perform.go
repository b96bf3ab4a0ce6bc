package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// Perform makes one change and reads it back. It is idempotent: a change that is in effect already is no error. A change that the server
// acknowledged and did not make is ErrIgnored; what it refuses is one of this package's errors.
func (c *Catalog) Perform(ctx context.Context, change zones.Change) error {
	switch change := change.(type) {
	case zones.AddShardToZone:
		return c.setZone(ctx, change.Shard, change.Zone, true)
	case zones.RemoveShardFromZone:
		return c.setZone(ctx, change.Shard, change.Zone, false)
	case zones.HoldBalancing:
		return c.setNoBalance(ctx, change.Collection, true)
	case zones.ReleaseBalancing:
		return c.setNoBalance(ctx, change.Collection, false)
	case zones.AddRange:
		return c.addRange(ctx, change)
	case zones.RemoveRange:
		return c.removeRange(ctx, change)
	case zones.ShardCollection:
		return c.shardCollection(ctx, change)
	case zones.SetValidator:
		return c.setValidator(ctx, change)
	default:
		return fmt.Errorf("perform %T: not a change that is known here", change)
	}
}

// setZone puts a shard into a zone, or takes it out.
func (c *Catalog) setZone(ctx context.Context, shard topology.ShardID, zone topology.ZoneID, in bool) error {
	command, what, otherwise := "addShardToZone", fmt.Sprintf("add shard %s to zone %s", shard, zone), "the shard is not in the zone"
	if !in {
		command, what, otherwise = "removeShardFromZone", fmt.Sprintf("remove shard %s from zone %s", shard, zone), "the shard is still in the zone"
	}
	if err := c.admin(ctx, what, "", bson.D{{Key: command, Value: shard}, {Key: "zone", Value: zone}}, nil); err != nil {
		return err
	}
	n, err := c.config().Collection("shards").CountDocuments(ctx, bson.D{{Key: "_id", Value: shard}, {Key: "tags", Value: zone}})
	if err == nil && in != (n > 0) {
		return ignored(what, otherwise)
	}
	return c.fail(what, "find", "config.shards", err)
}

// setNoBalance does what sh.disableBalancing and sh.enableBalancing do: there is no command for it before MongoDB 8.
func (c *Catalog) setNoBalance(ctx context.Context, collection string, hold bool) error {
	what := "let the balancer have " + collection
	if hold {
		what = "hold the balancing of " + collection
	}
	entries := c.config().Collection("collections")
	filter := bson.D{{Key: "_id", Value: collection}}
	result, err := entries.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: bson.D{{Key: "noBalance", Value: hold}}}})
	if err != nil {
		return c.fail(what, "update", "config.collections", err)
	}
	if result.MatchedCount == 0 {
		return &Error{What: what, Kind: ErrNotSharded, hint: meanings[codeNotSharded].hint}
	}
	var entry struct {
		NoBalance bool `bson:"noBalance"`
	}
	if err := entries.FindOne(ctx, filter).Decode(&entry); err != nil {
		return c.fail(what, "find", "config.collections", err)
	}
	if entry.NoBalance != hold {
		return ignored(what, fmt.Sprintf("noBalance is %v", entry.NoBalance))
	}
	return nil
}

func (c *Catalog) addRange(ctx context.Context, change zones.AddRange) error {
	r := change.Range
	what := fmt.Sprintf("give %s the range %s", change.Collection, r)
	if err := c.updateRange(ctx, what, change.Collection, r, r.Zone); err != nil {
		return err
	}
	there, err := c.rangeBelow(ctx, what, change.Collection, r.Max)
	switch {
	case err != nil:
		return err
	case there == nil || !sameBound(there.Min, r.Min) || !sameBound(there.Max, r.Max) || there.Zone != r.Zone:
		return ignored(what, "the catalogue has "+describe(there))
	default:
		return nil
	}
}

// removeRange looks first: the server takes a range by its bounds, whatever zone it belongs to by now.
func (c *Catalog) removeRange(ctx context.Context, change zones.RemoveRange) error {
	r := change.Range
	what := fmt.Sprintf("take from %s the range %s", change.Collection, r)
	before, err := c.rangeBelow(ctx, what, change.Collection, r.Max)
	if err != nil {
		return err
	}
	if before != nil && sameBound(before.Min, r.Min) && sameBound(before.Max, r.Max) && before.Zone != r.Zone {
		return &Error{What: what, Kind: ErrOverlap, Err: errors.New("it belongs to zone " + string(before.Zone) + " now"), hint: meanings[codeRangeOverlap].hint}
	}
	if err := c.updateRange(ctx, what, change.Collection, r, nil); err != nil {
		return err
	}
	there, err := c.rangeBelow(ctx, what, change.Collection, r.Max)
	if err == nil && there != nil && shardkey.CompareKeys(shardkey.Trimmed(there.Max), shardkey.Trimmed(r.Min)) > 0 {
		err = ignored(what, "there still is "+describe(there))
	}
	return err
}

// updateRange assigns a range, or takes it away where zone is nil.
func (c *Catalog) updateRange(ctx context.Context, what, collection string, r zones.Range, zone any) error {
	err := c.admin(ctx, what, "", bson.D{
		{Key: "updateZoneKeyRange", Value: collection}, {Key: "min", Value: r.Min}, {Key: "max", Value: r.Max}, {Key: "zone", Value: zone},
	}, nil)
	code := codeOf(err)
	if known := (*Error)(nil); errors.As(err, &known) && known.Kind == nil && (code == codeInvalidOptions || code == codeFailedToParse) {
		known.Kind, known.hint = ErrBadBounds, "make the plan anew; a hashed field takes MinKey, MaxKey and 64-bit integers alone, and the minimum lies below the maximum"
	}
	return err
}

// rangeBelow is the last range of a collection that begins below a bound: the only one that can overlap with what ends there. nil if there is none.
func (c *Catalog) rangeBelow(ctx context.Context, what, collection string, bound bson.Raw) (*zones.Range, error) {
	var entry tagEntry
	err := c.config().Collection("tags").FindOne(ctx,
		bson.D{{Key: "ns", Value: collection}, {Key: "min", Value: bson.D{{Key: "$lt", Value: bound}}}},
		options.FindOne().SetSort(bson.D{{Key: "min", Value: -1}})).Decode(&entry)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, c.fail(what, "find", "config.tags", err)
	}
	r := entry.zoneRange()
	return &r, nil
}

// sameBound compares bounds by value. The server extends one that is a prefix of the key with MinKey.
func sameBound(a, b bson.Raw) bool {
	return shardkey.CompareKeys(shardkey.Trimmed(a), shardkey.Trimmed(b)) == 0
}

func describe(r *zones.Range) string {
	if r == nil {
		return "no such range"
	}
	return "the range " + r.String()
}

// shardCollection shards what is empty or does not exist. The server makes the key's index, and each chunk in its zone.
func (c *Catalog) shardCollection(ctx context.Context, change zones.ShardCollection) error {
	what := fmt.Sprintf("shard %s by %s", change.Collection, change.Key)
	sharded, err := c.shardedBy(ctx, what, change)
	if sharded || err != nil {
		return err
	}
	err = c.collection(change.Collection).FindOne(ctx, bson.D{}).Err()
	switch {
	case err == nil:
		return &Error{What: what, Kind: ErrNotEmpty, hint: "its documents would all have to move: see what the plan says about doing it by hand"}
	case !errors.Is(err, mongo.ErrNoDocuments):
		return c.fail(what, "find", change.Collection, err)
	}
	err = c.admin(ctx, what, change.Collection, bson.D{{Key: "shardCollection", Value: change.Collection}, {Key: "key", Value: shardkey.PatternOf(change.Key)}}, nil)
	if err != nil {
		return unshardable(err, codeIllegalOperation)
	}
	if sharded, err = c.shardedBy(ctx, what, change); err == nil && !sharded {
		err = ignored(what, "the collection is not sharded")
	}
	return err
}

// unshardable gives an error its kind where the server has a code for it that means many things, but one for this command.
func unshardable(err error, code int) error {
	if known := (*Error)(nil); errors.As(err, &known) && known.Kind == nil && codeOf(err) == code {
		known.Kind, known.hint = ErrNotShardable, "views, time series and internal collections have no zones and no validator: take it out of the topology"
	}
	return err
}

// shardedBy reports whether the collection is sharded by the key. ErrOtherKey: it is, by another one.
func (c *Catalog) shardedBy(ctx context.Context, what string, change zones.ShardCollection) (bool, error) {
	key, err := c.keyPattern(ctx, what, change.Collection)
	if errors.Is(err, ErrNotSharded) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	found, err := shardkey.ReadKey(key)
	if err != nil {
		return false, &Error{What: what, Kind: ErrUnsupportedKey, Err: err, hint: "geoshard knows keys of fields with 1 and \"hashed\""}
	}
	if !slices.Equal(found, change.Key) {
		return false, &Error{What: what, Kind: ErrOtherKey, Err: fmt.Errorf("it has %s", found), hint: meanings[codeAlreadyInitialized].hint}
	}
	return true, nil
}

// keyPattern is the shard key of a collection, or ErrNotSharded.
func (c *Catalog) keyPattern(ctx context.Context, what, collection string) (bson.Raw, error) {
	var entry struct {
		Key          bson.Raw `bson:"key"`
		Unsplittable bool     `bson:"unsplittable"`
	}
	err := c.config().Collection("collections").FindOne(ctx, bson.D{{Key: "_id", Value: collection}, {Key: "dropped", Value: bson.D{{Key: "$ne", Value: true}}}}).Decode(&entry)
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && entry.Unsplittable {
		return nil, &Error{What: what, Kind: ErrNotSharded, hint: meanings[codeNotSharded].hint}
	}
	return entry.Key, c.fail(what, "find", "config.collections", err)
}

// setValidator sends {} to remove a validator: null would be taken for "leave it as it is". A collection that does not exist is made with its validator.
func (c *Catalog) setValidator(ctx context.Context, change zones.SetValidator) error {
	what := "set the validator of " + change.Collection
	validator := bson.Raw(change.Validator)
	if len(validator) == 0 {
		what, validator = "remove the validator of "+change.Collection, emptyDocument
	}
	db, collection, _ := strings.Cut(change.Collection, ".")
	rule := bson.D{{Key: "validator", Value: validator}}
	if change.Level != "" {
		rule = append(rule, bson.E{Key: "validationLevel", Value: change.Level})
	}
	if change.Action != "" {
		rule = append(rule, bson.E{Key: "validationAction", Value: change.Action})
	}
	err := c.command(ctx, what, db, change.Collection, append(bson.D{{Key: "collMod", Value: collection}}, rule...), nil)
	if codeOf(err) == codeNamespaceNotFound && len(change.Validator) > 0 {
		err = c.command(ctx, what, db, change.Collection, append(bson.D{{Key: "create", Value: collection}}, rule...), nil)
	}
	if err != nil {
		return unshardable(err, codeInvalidOptions)
	}
	defined, err := c.definitionsIn(ctx, db, bson.A{collection})
	if err != nil {
		return err
	}
	if len(defined) != 1 {
		return ignored(what, "the collection does not exist")
	}
	now := defined[0].Options
	if len(now.Validator) == 0 {
		now.Validator = emptyDocument
	}
	if !bytes.Equal(now.Validator, validator) || change.Level != "" && now.Level != change.Level || change.Action != "" && now.Action != change.Action {
		found := ignored(what, fmt.Sprintf("it is %s, level %q, action %q", now.Validator, now.Level, now.Action))
		return c.hiddenByPrimary(ctx, change.Collection, found)
	}
	return nil
}

// hiddenByPrimary gives the error of a validator that was not changed its reason, if that is it: collMod changes validators on the shards that own chunks, and
// listCollections shows the one of the database's primary shard, which may own none.
func (c *Catalog) hiddenByPrimary(ctx context.Context, name string, found error) error {
	db, _, _ := strings.Cut(name, ".")
	var database struct {
		Primary topology.ShardID `bson:"primary"`
	}
	var entry struct {
		UUID bson.Binary `bson:"uuid"`
	}
	if err := c.config().Collection("databases").FindOne(ctx, bson.D{{Key: "_id", Value: db}}).Decode(&database); err != nil {
		return found
	}
	if err := c.config().Collection("collections").FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Decode(&entry); err != nil {
		return found // it is not sharded
	}
	n, err := c.config().Collection("chunks").CountDocuments(ctx, bson.D{{Key: "uuid", Value: entry.UUID}, {Key: "shard", Value: database.Primary}}, options.Count().SetLimit(1))
	var told *Error
	if err != nil || n > 0 || !errors.As(found, &told) {
		return found
	}
	told.Err = fmt.Errorf("%w; servers change it on shards that own chunks alone, and show that of %s, the primary shard of %s, which owns none", told.Err, database.Primary, db)
	told.hint = fmt.Sprintf("make a shard with chunks the primary (movePrimary of the database %s, which takes unsharded collections along), and plan again", db)
	return told
}
