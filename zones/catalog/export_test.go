package catalog

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// Unchecked is a Catalog of a server that Open would refuse: a mongod, which enforces privileges where the development query router does not.
func Unchecked(client *mongo.Client, uri string) *Catalog {
	return &Catalog{client: client, options: options.Client().ApplyURI(uri).SetAppName("test")}
}

// DepsIn are ApplyDeps whose journal and lease lie in a database of their own, so that several applies to one cluster go on at once.
func (c *Catalog) DepsIn(db string, o LockOptions) apply.Deps {
	return c.depsIn(db, o)
}

// LockerIn is a locker whose lease lies in that database.
func LockerIn(db *mongo.Database, o LockOptions) *Locker {
	return (&Catalog{client: db.Client()}).lockerIn(db.Name(), o)
}

// CutAndJoin cuts a run into parts as the journal keeps them and puts it together again. sizes are those of the parts.
func CutAndJoin(t testing.TB, run zones.Run, limit int) (back zones.Run, sizes []int) {
	t.Helper()
	back = run
	back.Before, back.After, back.Steps = zones.Layout{}, zones.Layout{}, []zones.RunStep{}
	for _, p := range cut(run, limit) {
		raw, err := bson.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(raw))
		var read part
		if err := bson.Unmarshal(raw, &read); err != nil {
			t.Fatal(err)
		}
		join(&back, read)
	}
	return back, sizes
}
