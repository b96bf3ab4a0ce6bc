package existing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/topology"
)

// answerWithin is how long a status waits for one member.
const answerWithin = 3 * time.Second

// Options say which cluster to look at. URI and Topology are required.
type Options struct {
	// Name is how the cluster is called in output. Empty = "existing".
	Name string
	// URI leads to a query router. Its credentials and TLS settings are used for the members as well.
	URI string
	// URIs are the connection strings of the query routers by datacenter; datacenters that are not in it use URI.
	URIs     map[topology.DatacenterID]string
	Topology *topology.Topology
}

// A View is a cluster.View of a cluster that somebody else runs.
type View struct {
	options Options
	router  *mongo.Client

	closing sync.Once
	err     error
}

var _ cluster.View = (*View)(nil)

// Connect checks that a query router answers at the URI. It returns topology.ErrNoQueryRouter for any other server. Errors hold
// no credentials.
func Connect(ctx context.Context, o Options) (*View, error) {
	if o.Topology == nil || o.URI == "" {
		return nil, errors.New("connect to cluster: a URI and a topology are needed")
	}
	if o.Name == "" {
		o.Name = "existing"
	}
	client, err := mongo.Connect(options.Client().ApplyURI(o.URI).SetAppName("geoshard"))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", Redact(o.URI), redact.Error(err, o.URI))
	}
	v := &View{options: o, router: client}
	if err := v.check(ctx); err != nil {
		return nil, errors.Join(err, v.Close(ctx))
	}
	return v, nil
}

func (v *View) check(ctx context.Context) error {
	var hello struct {
		Msg string `bson:"msg"`
	}
	if err := v.admin(ctx, "hello", &hello); err != nil {
		return err
	}
	if hello.Msg != "isdbgrid" {
		return hint.New(fmt.Errorf("connect to %s: %w", Redact(v.options.URI), topology.ErrNoQueryRouter),
			"give the connection string of a mongos, not of a replica set")
	}
	return nil
}

func (v *View) admin(ctx context.Context, command string, into any) error {
	if err := v.router.Database("admin").RunCommand(ctx, bson.D{{Key: command, Value: 1}}).Decode(into); err != nil {
		return fmt.Errorf("ask %s for %s: %w", Redact(v.options.URI), command, redact.Error(err, v.options.URI))
	}
	return nil
}

// Name is the name of Options.
func (v *View) Name() string { return v.options.Name }

// Topology is the declared world that the cluster is compared with.
func (v *View) Topology() *topology.Topology { return v.options.Topology }

// URI is the connection string for a datacenter's clients, with its credentials: do not print it, see Redact.
func (v *View) URI(dc topology.DatacenterID) (string, error) {
	declared, ok := v.options.Topology.Datacenter(dc)
	if !ok || declared.Role == topology.RoleVoter {
		var known []topology.DatacenterID
		for _, d := range v.options.Topology.Datacenters {
			known = append(known, d.ID)
		}
		return "", cluster.UnknownDatacenter(dc, known)
	}
	if uri, ok := v.options.URIs[dc]; ok {
		return uri, nil
	}
	return v.options.URI, nil
}

// Close disconnects. The cluster goes on.
func (v *View) Close(ctx context.Context) error {
	v.closing.Do(func() { v.err = v.router.Disconnect(ctx) })
	return v.err
}

// Status asks the query router for the shards, and each shard for its members. Members that cannot be reached from here
// are reported with what others say of them, or as unreachable.
func (v *View) Status(ctx context.Context) (cluster.Status, error) {
	var list struct {
		Shards []struct {
			ID   topology.ShardID `bson:"_id"`
			Host string           `bson:"host"`
		} `bson:"shards"`
	}
	if err := v.admin(ctx, "listShards", &list); err != nil {
		return cluster.Status{}, err
	}
	var build struct {
		Version string `bson:"version"`
	}
	if err := v.admin(ctx, "buildInfo", &build); err != nil {
		return cluster.Status{}, err
	}
	rows := make([][]cluster.Member, len(list.Shards))
	var all sync.WaitGroup
	for i, shard := range list.Shards {
		all.Go(func() { rows[i] = v.shard(ctx, shard.ID, shard.Host) })
	}
	all.Wait()
	return cluster.Status{
		Name: v.options.Name, Taken: time.Now().UTC(), ServerVersion: build.Version,
		QueryRouter: cluster.QueryRouter{Kind: "mongos", Version: build.Version}, Members: slices.Concat(rows...),
	}, nil
}

// memberURI is the router's URI with other hosts: the same credentials and TLS, directly.
func (v *View) memberURI(hosts string) (string, error) {
	u, err := url.Parse(v.options.URI)
	if err != nil {
		return "", errors.New("parse connection string") // the error of Parse quotes it
	}
	u.Scheme, u.Host = "mongodb", hosts
	query := u.Query()
	query.Del("replicaSet")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Redact returns a connection string without its credentials.
func Redact(uri string) string { return redact.URI(uri) }
