package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/internal/passing"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// Perform makes one change and reads it back. It is idempotent: a change that is in effect already is no error. A change that the server
// acknowledged and did not make is ErrIgnored; what it refuses is one of this package's errors. What
// it cannot do because a primary is being elected is repeated for half a minute.
func (c *Catalog) Perform(ctx context.Context, change zones.Change) error {
	return overElections(ctx, func() error { return c.perform(ctx, change) })
}

const (
	// electionPatience is longer than elections take with MongoDB's election timeout of 10 s.
	electionPatience = 30 * time.Second
	electionPause    = 500 * time.Millisecond
)

// overElections repeats what a server could not do at the moment, and returns the last error.
func overElections(ctx context.Context, do func() error) error {
	until := time.Now().Add(electionPatience)
	for {
		err := do()
		if !passing.Answer(err) || time.Now().After(until) || !pace.Pause(ctx, electionPause) {
			return err
		}
	}
}

func (c *Catalog) perform(ctx context.Context, change zones.Change) error {
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
		return c.setRange(ctx, change.Collection, change.Range, true)
	case zones.RemoveRange:
		return c.setRange(ctx, change.Collection, change.Range, false)
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
	if err := c.admin(ctx, what, bson.D{{Key: command, Value: shard}, {Key: "zone", Value: zone}}, nil); err != nil {
		return err
	}
	n, err := c.config().Collection("shards").CountDocuments(ctx, bson.M{"_id": shard, "tags": zone})
	if err == nil && in != (n > 0) {
		return ignored(what, otherwise)
	}
	return c.fail(what, "find", "config.shards", err)
}

// setNoBalance does what sh.disableBalancing and sh.enableBalancing do. Where that is not allowed,
// as perhaps on Atlas, a command stands in: serverversion.BalancingByCommand.
func (c *Catalog) setNoBalance(ctx context.Context, collection string, hold bool) error {
	what := "let the balancer have " + collection
	if hold {
		what = "hold the balancing of " + collection
	}
	byID := bson.M{"_id": collection}
	result, err := c.config().Collection("collections").UpdateOne(ctx, byID, bson.M{"$set": bson.M{"noBalance": hold}})
	byCommand := unwritable(err) && c.admin(ctx, what, balancing(collection, hold), nil) == nil
	switch {
	case byCommand: // read back below, as the write is
	case err != nil: // also where the command failed: servers that lack it tell less than this
		return c.fail(what, "update", "config.collections", err)
	case result.MatchedCount == 0:
		return meanings[codeNotSharded].of(what, nil)
	}
	var entry collectionEntry
	if err := c.one(ctx, what, "collections", byID, &entry); err != nil {
		return err
	}
	if entry.NoBalance != hold {
		return ignored(what, fmt.Sprintf("noBalance is %v", entry.NoBalance))
	}
	return nil
}

// unwritable reports whether a write was refused because of whose it is.
func unwritable(err error) bool {
	code := codeOf(err)
	return code == codeUnauthorized || code == codeAtlas
}

// balancing is the command that holds the balancing of a collection, or lets the balancer have it.
func balancing(collection string, hold bool) bson.D {
	return bson.D{{Key: "configureCollectionBalancing", Value: collection}, {Key: "enableBalancing", Value: !hold}}
}

// setRange assigns a range to its zone, or takes it away. It looks before it takes one away: the server goes by the bounds, whatever zone has them by now.
func (c *Catalog) setRange(ctx context.Context, collection string, r zones.Range, assign bool) error {
	what, zone := fmt.Sprintf("give %s the range %s", collection, r), any(r.Zone)
	if !assign {
		what, zone = fmt.Sprintf("take from %s the range %s", collection, r), nil
		before, err := c.rangeBelow(ctx, what, collection, r.Max)
		if err != nil {
			return err
		}
		if sameBounds(before, r) && before.Zone != r.Zone {
			return meanings[codeRangeOverlap].of(what, fmt.Errorf("it belongs to zone %s now", before.Zone))
		}
	}
	err := c.admin(ctx, what, bson.D{
		{Key: "updateZoneKeyRange", Value: collection}, {Key: "min", Value: r.Min}, {Key: "max", Value: r.Max}, {Key: "zone", Value: zone},
	}, nil)
	if codeOf(err) == codeShardKeyNotFound {
		var entry collectionEntry
		_ = c.one(ctx, what, "collections", bson.M{"_id": collection}, &entry) // without it the error is told as it is
		return ofMoved(err, entry)
	}
	if err != nil {
		return meant(err, badBounds, codeInvalidOptions, codeFailedToParse)
	}
	there, err := c.rangeBelow(ctx, what, collection, r.Max)
	switch {
	case err != nil:
		return err
	case assign && (!sameBounds(there, r) || there.Zone != r.Zone):
		return ignored(what, "the catalogue has "+describe(there))
	case !assign && there != nil && compareBounds(there.Max, r.Min) > 0:
		return ignored(what, "there still is "+describe(there))
	}
	return nil
}

// ofMoved gives the error of a range its reason where the collection was moved, and is not sharded:
// serverversion.RangeOfMoved.
func ofMoved(err error, entry collectionEntry) error {
	if known := (*Error)(nil); entry.Unsplittable && errors.As(err, &known) {
		known.Kind, known.hint = ErrNotSharded, "it was moved to its shard with moveCollection: shard it first "+
			"(plan with --shard-collections where it is empty), then plan again"
	}
	return err
}

// rangeBelow is the last range of a collection that begins below a bound: the only one that can overlap with what ends there. nil if there is none.
func (c *Catalog) rangeBelow(ctx context.Context, what, collection string, bound bson.Raw) (*zones.Range, error) {
	var entry tagEntry
	err := c.one(ctx, what, "tags", bson.M{"ns": collection, "min": bson.M{"$lt": bound}}, &entry, options.FindOne().SetSort(bson.M{"min": -1}))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := entry.zoneRange()
	return &r, nil
}

// sameBounds compares bounds by value; nothing was found where it is nil.
func sameBounds(found *zones.Range, r zones.Range) bool {
	return found != nil && compareBounds(found.Min, r.Min) == 0 && compareBounds(found.Max, r.Max) == 0
}

// compareBounds compares bounds by value. The server extends one that is a prefix of the key with MinKey.
func compareBounds(a, b bson.Raw) int {
	return shardkey.CompareKeys(shardkey.Trimmed(a), shardkey.Trimmed(b))
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
	err = c.command(ctx, what, "admin", change.Collection, bson.D{
		{Key: "shardCollection", Value: change.Collection}, {Key: "key", Value: shardkey.PatternOf(change.Key)},
		// Keys are compared by their bytes. Where the collection compares otherwise, the server wants to be told.
		{Key: "collation", Value: bson.M{"locale": byBytes.Locale}},
	}, nil)
	if err != nil {
		err = meant(err, unshardable, codeIllegalOperation)
		if known := (*Error)(nil); errors.As(err, &known) && known.hint == "" {
			known.hint = "look for what the server names among the collection's options and indexes (an index that had an array in it does not serve: drop it and make it again), then apply again"
		}
		return err
	}
	if sharded, err = c.shardedBy(ctx, what, change); err == nil && !sharded {
		err = ignored(what, "the collection is not sharded")
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
	found, err := readKey(what, key)
	if err != nil {
		return false, err
	}
	if !slices.Equal(found, change.Key) {
		return false, meanings[codeAlreadyInitialized].of(what, fmt.Errorf("it has %s", found))
	}
	return true, nil
}

// keyPattern is the shard key of a collection, or ErrNotSharded.
func (c *Catalog) keyPattern(ctx context.Context, what, collection string) (bson.Raw, error) {
	var entry collectionEntry
	err := c.one(ctx, what, "collections", bson.M{"_id": collection}, &entry)
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && !entry.sharded() {
		return nil, meanings[codeNotSharded].of(what, nil)
	}
	return entry.Key, err
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
	command := func(name string) error {
		return c.command(ctx, what, db, change.Collection, append(bson.D{{Key: name, Value: collection}}, rule...), nil)
	}
	err := command("collMod")
	if codeOf(err) == codeNamespaceNotFound && len(change.Validator) > 0 {
		err = command("create")
	}
	if err != nil {
		return meant(err, unshardable, codeInvalidOptions)
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
		c.hiddenByPrimary(ctx, what, change.Collection, found)
		return found
	}
	return nil
}

// hiddenByPrimary gives the error of a validator that was not changed its reason, if that is it:
// collMod of servers before SERVER-71819 changes validators on the shards that own chunks, and
// listCollections shows the one of the database's primary shard, which may own none.
func (c *Catalog) hiddenByPrimary(ctx context.Context, what, name string, found *Error) {
	db, _, _ := strings.Cut(name, ".")
	var database databaseEntry
	var entry collectionEntry
	if c.one(ctx, what, "databases", bson.M{"_id": db}, &database) != nil || c.one(ctx, what, "collections", bson.M{"_id": name}, &entry) != nil {
		return // it is not sharded
	}
	n, err := c.config().Collection("chunks").CountDocuments(ctx, bson.M{"uuid": entry.UUID, "shard": database.Primary}, options.Count().SetLimit(1))
	if err != nil || n > 0 {
		return
	}
	found.Err = fmt.Errorf("%w; servers change it on shards that own chunks alone, and show that of %s, the primary shard of %s, which owns none", found.Err, database.Primary, db)
	found.hint = fmt.Sprintf("make a shard with chunks the primary (movePrimary of the database %s, which takes unsharded collections along), and plan again", db)
}
