package dashboard

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/catalog"
)

const (
	readEvery  = 2 * time.Second
	readWithin = 6 * time.Second
	findWithin = 3 * time.Second
	// countWithin is short: a shard without a primary does not answer, and then the last numbers are shown.
	countWithin = 2 * time.Second
	// logPage is how many entries of the log are looked at: a migration writes about six.
	logPage = 120
	// mostDocuments bounds what is read of the chunks.
	mostDocuments = 10_000
)

// A reader reads the catalogue through the query router of one datacenter, and of another one when that does not answer.
type reader struct {
	world World
	from  int // the datacenter's place among the served ones
	open  *catalog.Catalog
	// parts are what was counted last, at counted.
	parts   map[string]map[topology.ShardID]catalog.Part
	counted time.Time
	now     func() time.Time
}

func (r *reader) close(ctx context.Context) {
	if r.open != nil {
		_ = r.open.Close(context.WithoutCancel(ctx)) // nothing of it is needed any more
		r.open = nil
	}
}

// read reads once.
func (r *reader) read(ctx context.Context) (layoutView, error) {
	dcs := served(r.world)
	if len(dcs) == 0 {
		return layoutView{}, errors.New("no datacenter has a gateway")
	}
	var first error
	for range dcs {
		v, err := r.try(ctx, dcs[r.from%len(dcs)])
		if err == nil {
			return v, nil
		}
		if first == nil {
			first = err
		}
		r.close(ctx)
		r.from++
	}
	return layoutView{}, first
}

func (r *reader) try(ctx context.Context, dc topology.DatacenterID) (layoutView, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if r.open == nil {
		uri, err := r.world.Cluster().URI(dc)
		if err != nil {
			return layoutView{}, err
		}
		if r.open, err = catalog.Open(ctx, catalog.Options{URI: uri, Within: findWithin}); err != nil {
			return layoutView{}, err
		}
	}
	c, err := readCatalogue(ctx, r.open.Client().Database("config"))
	if err != nil {
		return layoutView{}, err
	}
	names := make([]string, len(c.collections))
	for i, one := range c.collections {
		names[i] = one.Name
	}
	r.count(ctx, names)
	v := viewLayout(c, r.parts)
	if !r.counted.IsZero() {
		v.Counted = r.counted.UnixMilli()
	}
	return v, nil
}

// count counts the documents anew, if all shards answer.
func (r *reader) count(ctx context.Context, names []string) {
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	if parts, err := r.open.Distribution(ctx, names); err == nil {
		r.parts, r.counted = parts, r.now()
	}
}

func readCatalogue(ctx context.Context, config *mongo.Database) (c catalogue, err error) {
	ours := bson.D{{Key: "_id", Value: bson.Regex{Pattern: "^(?!config\\.)"}}, {Key: "dropped", Value: bson.D{{Key: "$ne", Value: true}}}}
	sorted := func(field string, way, limit int) *options.FindOptionsBuilder {
		return options.Find().SetSort(bson.D{{Key: field, Value: way}}).SetLimit(int64(limit))
	}
	all := func(name string, filter any, o *options.FindOptionsBuilder, into any) {
		if err != nil {
			return
		}
		var cursor *mongo.Cursor
		if cursor, err = config.Collection(name).Find(ctx, filter, o); err == nil {
			err = cursor.All(ctx, into)
		}
	}
	all("shards", bson.D{}, sorted("_id", 1, mostDocuments), &c.shards)
	all("collections", ours, sorted("_id", 1, mostDocuments), &c.collections)
	all("chunks", bson.D{}, sorted("min", 1, mostDocuments), &c.chunks)
	all("tags", bson.D{}, sorted("min", 1, mostDocuments), &c.ranges)
	all("changelog", bson.D{{Key: "what", Value: bson.Regex{Pattern: "^moveChunk"}}}, sorted("$natural", -1, logPage), &c.log)
	return c, err
}

// place reads the catalogue again and again until the context ends.
func (d *Dashboard) place(ctx context.Context) {
	r := &reader{world: d.o.World, now: d.o.Now}
	defer func() { r.close(ctx) }()
	var shown layoutView
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		v, err := r.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			shown = v
			shown.Taken = d.o.Now().UnixMilli()
		} else {
			shown.Error = err.Error()
		}
		d.hub.set("layout", shown)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
