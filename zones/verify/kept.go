package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/topology"
)

// A Kept is something that a shard still has though it is to be empty: because its datacenter is
// drained, or because it is being removed. Documents of declared collections are not among them:
// those are in the namespaces of the report.
type Kept struct {
	Shard topology.ShardID `json:"shard"`
	// Database is one whose primary shard it is, or has Collection.
	Database string `json:"database"`
	// Collection is a collection that is not sharded, or, with Chunks, one that is and is not
	// declared; empty for the database itself.
	Collection string `json:"collection,omitempty"`
	Chunks     int64  `json:"chunks,omitempty"`
	// Documents and Bytes are what the shard has of it, orphans included; nil where the shard did
	// not tell.
	Documents *int64 `json:"documents,omitempty"`
	Bytes     *int64 `json:"bytes,omitempty"`
	// Command moves it, in mongosh; empty where the balancer does because the shard is being
	// removed, and where no shard can take it. MovePrimary wants reads and writes of the database's
	// unsharded collections stopped meanwhile (manual: movePrimary).
	Command string `json:"command,omitempty"`
}

// keptToldWithin bounds what shards may take to tell what they still have: one that is silent costs
// no more.
const keptToldWithin = 10 * time.Second

// kept looks for what shards that are to be empty still have. Of each, the catalogue tells that it
// is there; its size is the shard's to tell.
func (v *verifier) kept(ctx context.Context, shards []shard) error {
	k := &keeping{verifier: v}
	drained := v.world.DrainedShards()
	for _, s := range shards {
		if s.Draining || slices.Contains(drained, s.ID) {
			k.leaving = append(k.leaving, s)
		} else {
			k.staying = append(k.staying, s.ID)
		}
	}
	if len(k.leaving) == 0 {
		return nil
	}
	told, cancel := context.WithTimeout(ctx, keptToldWithin)
	defer cancel()
	k.told = told
	version, err := serverversion.Parse(v.version)
	k.moveable = err == nil && serverversion.MoveCollection.Holds(version)
	entries, err := k.entries(ctx)
	if err != nil {
		return err
	}
	for _, s := range k.leaving {
		if err := k.databases(ctx, s, entries); err != nil {
			return err
		}
		if err := k.chunks(ctx, s, entries); err != nil {
			return err
		}
	}
	k.sizes()
	return nil
}

// keeping is one look for what shards still have.
type keeping struct {
	*verifier
	leaving []shard
	staying []topology.ShardID
	// told ends when shards have had their time.
	told context.Context
	// moveable: collections that are not sharded can be moved (MongoDB 8.0).
	moveable bool
}

// An entry is a collection of the catalogue.
type entry struct {
	Name         string `bson:"_id"`
	UUID         bson.Binary
	Unsplittable bool // it is not sharded, and on a shard of its own choice
}

// entries reads the collections of the catalogue, but not those of the config servers.
func (k *keeping) entries(ctx context.Context) (all []entry, err error) {
	others := bson.M{"_id": bson.M{"$not": bson.Regex{Pattern: `^config\.`}}, "dropped": bson.M{"$ne": true}}
	err = k.config(ctx, "collections", others, &all)
	return all, err
}

// databases adds those whose primary shard is to be empty, each behind its collections that are not
// sharded.
func (k *keeping) databases(ctx context.Context, s shard, entries []entry) error {
	var found []struct {
		Name string `bson:"_id"`
	}
	if err := k.config(ctx, "databases", bson.M{"primary": s.ID}, &found); err != nil {
		return err
	}
	for _, db := range found {
		move := k.command(s, `db.adminCommand({movePrimary: %s, to: %s})`, db.Name)
		collections, err := k.collections(db.Name, entries)
		if err != nil {
			k.notChecked("which collections of %s are on %s: %v", db.Name, s.ID, err)
		}
		for _, c := range collections {
			one := Kept{Shard: s.ID, Database: db.Name, Collection: db.Name + "." + c.Name, Command: move}
			if k.moveable && c.Type != "timeseries" && !encrypted(c) {
				one.Command = k.command(s, `db.adminCommand({moveCollection: %s, toShard: %s})`, one.Collection)
			}
			k.add(one)
		}
		k.add(Kept{Shard: s.ID, Database: db.Name, Command: move})
	}
	return nil
}

// encrypted says whether a collection is one of Queryable Encryption, or one of the two that such a
// collection has beside it: moveCollection does not take them (manual: moveCollection).
func encrypted(c *mongo.CollectionSpecification) bool {
	_, missing := c.Options.LookupErr("encryptedFields")
	return missing == nil || strings.HasPrefix(c.Name, "enxcol_.")
}

// collections lists those of a database that are on its primary shard because they are not sharded.
func (k *keeping) collections(db string, entries []entry) ([]*mongo.CollectionSpecification, error) {
	noViews := bson.M{"type": bson.M{"$ne": "view"}}
	specs, err := k.router.Database(db).ListCollectionSpecifications(k.told, noViews)
	list := make([]*mongo.CollectionSpecification, 0, len(specs))
	for i := range specs {
		own, buckets := db+"."+specs[i].Name, db+".system.buckets."+specs[i].Name
		placed := slices.ContainsFunc(entries, func(e entry) bool { return e.Name == own || e.Name == buckets })
		if !placed && !strings.HasPrefix(specs[i].Name, "system.") {
			list = append(list, &specs[i])
		}
	}
	slices.SortFunc(list, func(a, b *mongo.CollectionSpecification) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// counted are the chunks of a collection on a shard.
type counted struct {
	UUID   bson.Binary `bson:"_id"`
	Chunks int64
}

// chunks adds collections of the catalogue that are not declared and have chunks on a shard.
func (k *keeping) chunks(ctx context.Context, s shard, entries []entry) error {
	cursor, err := k.router.Database("config").Collection("chunks").Aggregate(ctx, bson.A{
		bson.M{"$match": bson.M{"shard": s.ID}}, bson.M{"$group": bson.M{"_id": "$uuid", "chunks": bson.M{"$sum": 1}}},
	})
	var found []counted
	if err == nil {
		err = cursor.All(ctx, &found)
	}
	if err != nil {
		return fmt.Errorf("read config.chunks: %w", err)
	}
	for _, e := range entries {
		at := slices.IndexFunc(found, func(c counted) bool { return string(c.UUID.Data) == string(e.UUID.Data) })
		_, declared := k.world.NamespaceOf(e.Name)
		db, _, _ := strings.Cut(e.Name, ".")
		switch {
		case at < 0:
		case e.Unsplittable:
			move := k.command(s, `db.adminCommand({moveCollection: %s, toShard: %s})`, e.Name)
			k.add(Kept{Shard: s.ID, Database: db, Collection: e.Name, Command: move})
		case !declared:
			one := Kept{Shard: s.ID, Database: db, Collection: e.Name, Chunks: found[at].Chunks}
			if !s.Draining {
				one.Command = fmt.Sprintf(`db.adminCommand({removeShard: %s})`, quote(string(s.ID)))
			}
			k.add(one)
		}
	}
	return nil
}

// sizesAtOnce is how many sizes are asked for at a time.
const sizesAtOnce = 8

// sizes asks for the sizes of the collections that were found.
func (k *keeping) sizes() {
	problems := make([]error, len(k.report.Kept))
	var group errgroup.Group
	group.SetLimit(sizesAtOnce)
	for i := range k.report.Kept {
		if one := &k.report.Kept[i]; one.Collection != "" {
			group.Go(func() error {
				problems[i] = k.size(one)
				return nil
			})
		}
	}
	_ = group.Wait() // problems has the errors
	for i, one := range k.report.Kept {
		if problems[i] != nil {
			k.notChecked("the size of %s on %s: %s", one.Collection, one.Shard, reason(problems[i]))
		}
	}
}

// size asks for the size of a collection on its shard.
func (k *keeping) size(of *Kept) error {
	db, name, _ := strings.Cut(of.Collection, ".")
	cursor, err := k.router.Database(db).Collection(name).Aggregate(k.told, bson.A{
		bson.M{"$collStats": bson.M{"storageStats": bson.M{}}},
		bson.M{"$project": bson.M{"shard": 1, "count": "$storageStats.count", "size": "$storageStats.size"}},
	})
	var parts []struct {
		Shard       topology.ShardID
		Count, Size *int64 // a time series has no count of its measurements
	}
	if err == nil {
		err = cursor.All(k.told, &parts)
	}
	for _, p := range parts {
		if p.Shard == of.Shard {
			of.Documents, of.Bytes = p.Count, p.Size
		}
	}
	return err
}

func (k *keeping) add(one Kept) { k.report.Kept = append(k.report.Kept, one) }

// command is one that moves something from a shard to the nearest one that stays; empty where none
// does.
func (k *keeping) command(from shard, format, what string) string {
	to := k.world.Nearest(from.ID, k.staying)
	if to == "" {
		return ""
	}
	return fmt.Sprintf(format, quote(what), quote(string(to)))
}

// quote writes a name for mongosh, which reads strings as JSON has them.
func quote(name string) string {
	text, _ := json.Marshal(name) // a string has no error
	return string(text)
}
