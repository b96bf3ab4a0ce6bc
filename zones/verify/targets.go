package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/nstype"
	"github.com/geoshard/geoshard/topology"
)

// A target is one collection to look at.
type target struct {
	name string
	rule rule
	// key is the shard key in the catalogue; nil for a collection that is not sharded.
	key bson.D
}

func (t target) collection(client *mongo.Client) *mongo.Collection {
	db, name, _ := strings.Cut(t.name, ".")
	return client.Database(db).Collection(name)
}

// fields are those that documents are told apart by: of the shard key, or of the one that the topology wants.
func (t target) fields() []string {
	key := t.rule.ns.Key
	if t.key != nil {
		key = keyOf(t.key)
	}
	names := make([]string, len(key))
	for i, f := range key {
		names[i] = f.Name
	}
	return names
}

// kind says what a namespace is that is no collection, and is empty for a collection. Where nobody tells, its documents are looked for.
func (i *inspection) kind(ctx context.Context) string {
	if i.key != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, i.patience())
	defer cancel()
	switch kind := nstype.Other(ctx, i.collection(i.router)); kind {
	case "time series":
		return "time series, whose documents no zone field can place"
	case "view":
		return "view, which has no documents of its own"
	default:
		return ""
	}
}

func keyOf(d bson.D) topology.Key {
	var key topology.Key
	for _, e := range d {
		key = append(key, topology.KeyField{Name: e.Key, Hashed: e.Value == "hashed"})
	}
	return key
}

// targets are the collections that the wanted namespaces of the topology are about.
func (v *verifier) targets(ctx context.Context) ([]target, error) {
	if err := v.checkNames(); err != nil {
		return nil, err
	}
	sharded, err := v.shardedCollections(ctx)
	if err != nil {
		return nil, err
	}
	var all []target
	for _, ns := range v.world.Namespaces {
		rule, err := newRule(v.world, ns)
		if err != nil {
			return nil, err
		}
		add := func(name string, key bson.D) {
			if v.wanted(ns, name) {
				all = append(all, target{name, rule, key})
			}
		}
		if !ns.IsPattern() {
			add(ns.Name, sharded[ns.Name])
			continue
		}
		for name, key := range sharded {
			decides, ok := v.world.NamespaceOf(name)
			switch {
			case !ok || decides.Name != ns.Name:
			case topology.CollectionProblem(name) != "":
				v.notChecked("%q: the pattern %s is not about it, because geoshard.yaml cannot name it: %s", name, ns.Name, topology.CollectionProblem(name))
			case len(key) >= len(ns.Key) && slices.Equal(keyOf(key[:len(ns.Key)]), ns.Key): // it may have been refined
				add(name, key)
			case v.wanted(ns, name):
				v.notChecked("%s: the pattern %s is about collections with the key %s, and this one has %s", name, ns.Name, ns.Key, keyOf(key))
			}
		}
	}
	slices.SortFunc(all, func(a, b target) int { return strings.Compare(a.name, b.name) })
	slices.Sort(v.report.NotChecked)
	return all, nil
}

// wanted says whether the options ask for a collection, by its name or by its namespace's.
func (v *verifier) wanted(ns topology.Namespace, name string) bool {
	return len(v.options.Namespaces) == 0 || slices.Contains(v.options.Namespaces, name) || slices.Contains(v.options.Namespaces, ns.Name)
}

// checkNames refuses names that the topology says nothing about: nothing would be checked, and the report would look clean.
func (v *verifier) checkNames() error {
	for _, name := range v.options.Namespaces {
		_, known := v.world.Namespace(name)
		if _, covered := v.world.NamespaceOf(name); !known && !covered {
			var declared []string
			for _, ns := range v.world.Namespaces {
				declared = append(declared, ns.Name)
			}
			return hint.New(fmt.Errorf("namespace %q: %w", name, topology.ErrUndeclared), "declared are: "+strings.Join(declared, ", "))
		}
	}
	return nil
}

// onlySharded leaves out of config.collections what is not sharded by a key of its fields:
// serverversion.UnshardedListed and ViewlessSeries.
var onlySharded = bson.M{
	"dropped": bson.M{"$ne": true}, "unsplittable": bson.M{"$ne": true}, "timeseriesFields": bson.M{"$exists": false},
}

// config reads documents of a collection of the catalogue, by their _id.
func (v *verifier) config(ctx context.Context, name string, filter, into any) error {
	cursor, err := v.router.Database("config").Collection(name).Find(ctx, filter, options.Find().SetSort(bson.M{"_id": 1}))
	if err == nil {
		err = cursor.All(ctx, into)
	}
	if err != nil {
		return fmt.Errorf("read config.%s: %w", name, err)
	}
	return nil
}

// shardedCollections reads the shard keys of the catalogue.
func (v *verifier) shardedCollections(ctx context.Context) (map[string]bson.D, error) {
	var entries []struct {
		Name string `bson:"_id"`
		Key  bson.D
	}
	if err := v.config(ctx, "collections", onlySharded, &entries); err != nil {
		return nil, err
	}
	sharded := map[string]bson.D{}
	for _, e := range entries {
		sharded[e.Name] = e.Key
	}
	return sharded, nil
}
