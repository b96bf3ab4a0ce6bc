package catalog

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/zones"
)

// atOnce bounds the questions to the query router that are open at a time.
const atOnce = 8

// Read reads the cluster's state: all of its shards and zones, and the namespaces that are given. A namespace is a name, or a pattern for
// all collections of a database ("shop.*"); none at all means every collection that is sharded or has ranges.
//
// A name that is no collection is in the state too, with Exists false. What the user may not see of the members of shards and of the config servers, of indexes and sizes is
// missing in the state, and so is what a shard does not tell within a few seconds, which the state says (Unread, Unlisted); everything else that cannot be read is an error.
func (c *Catalog) Read(ctx context.Context, namespaces []string) (*zones.State, error) {
	state, err := c.identity(ctx)
	if err != nil {
		return nil, err
	}
	if state.Balancer, err = c.balancer(ctx); err != nil {
		return nil, err
	}
	if state.Shards, err = c.shards(ctx); err != nil {
		return nil, err
	}
	if state.ConfigServers, err = c.configServers(ctx); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	var sets []*zones.Shard
	if config := state.ConfigServers; config != nil && config.Unseen == "" {
		sets = append(sets, config)
	}
	for i := range state.Shards {
		sets = append(sets, &state.Shards[i])
	}
	for _, set := range sets {
		group.Go(func() error {
			c.look(ctx, set)
			return nil
		})
	}
	group.Go(func() error { return c.collections(ctx, namespaces, state) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, set := range sets {
		if set.Version != "" && olderVersion(set.Version, state.Version) {
			state.Version = set.Version
		}
	}
	return state, nil
}

// identity begins a state with what does not change: which cluster it is, and the router's version.
func (c *Catalog) identity(ctx context.Context) (*zones.State, error) {
	taken := time.Now().UTC().Truncate(time.Millisecond)
	var version struct {
		ClusterID bson.ObjectID `bson:"clusterId"`
	}
	if err := c.one(ctx, "read the cluster's identity", "version", bson.D{}, &version); err != nil {
		return nil, err
	}
	router, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	return &zones.State{Taken: taken, ClusterID: version.ClusterID.Hex(), Version: router, RouterVersion: router}, nil
}

// Version is that of the query router, "6.0.5".
func (c *Catalog) Version(ctx context.Context) (string, error) {
	var build struct{ Version string }
	err := c.admin(ctx, "ask for the version", bson.D{{Key: "buildInfo", Value: 1}}, &build)
	return build.Version, err
}

// olderVersion compares two versions. What is none counts as the oldest.
func olderVersion(a, b string) bool {
	va, _ := serverversion.Parse(a)
	vb, _ := serverversion.Parse(b)
	return va.Less(vb)
}

// defaultChunkSize is MongoDB's since 6.0.
const defaultChunkSize = 128 << 20

// balancer reads the balancer's settings, and asks whether it runs. A service that keeps the command to itself is believed its settings.
func (c *Catalog) balancer(ctx context.Context) (zones.Balancer, error) {
	var settings []struct {
		ID      string  `bson:"_id"`
		Size    float64 `bson:"value"`
		Stopped bool
		Mode    string
		Window  struct{ Start, Stop string } `bson:"activeWindow"`
	}
	filter := bson.M{"_id": bson.M{"$in": bson.A{"balancer", "chunksize"}}}
	if err := c.all(ctx, "read the balancer's settings", "settings", filter, &settings); err != nil {
		return zones.Balancer{}, err
	}
	b := zones.Balancer{Running: true, ChunkSize: defaultChunkSize}
	for _, s := range settings {
		switch s.ID {
		case "chunksize":
			b.ChunkSize = int64(s.Size * (1 << 20))
		case "balancer":
			b.Running = !s.Stopped && moves(s.Mode)
			if b.WindowStart, b.WindowStop = s.Window.Start, s.Window.Stop; b.WindowStart != "" {
				b.Window = b.WindowStart + "-" + b.WindowStop
			}
		}
	}
	var status struct{ Mode string }
	err := c.admin(ctx, "ask for the balancer's status", bson.D{{Key: "balancerStatus", Value: 1}}, &status)
	if err == nil {
		b.Running = moves(status.Mode)
	} else if !errors.Is(err, ErrNotAllowed) && !errors.Is(err, ErrUnsupported) {
		return zones.Balancer{}, err
	}
	return b, nil
}

// moves reports whether the balancer moves anything in a mode: serverversion.OldModes.
func moves(mode string) bool { return mode != "off" && mode != "autoSplitOnly" }

// all reads documents of a collection of the catalogue.
func (c *Catalog) all(ctx context.Context, what, collection string, filter, into any, o ...options.Lister[options.FindOptions]) error {
	cursor, err := c.config().Collection(collection).Find(ctx, filter, o...)
	if err == nil {
		err = cursor.All(ctx, into)
	}
	return c.fail(what, "find", "config."+collection, err)
}

// one reads a document of a collection of the catalogue. Where there is none its error is mongo.ErrNoDocuments.
func (c *Catalog) one(ctx context.Context, what, collection string, filter, into any, o ...options.Lister[options.FindOneOptions]) error {
	return c.fail(what, "find", "config."+collection, c.config().Collection(collection).FindOne(ctx, filter, o...).Decode(into))
}
