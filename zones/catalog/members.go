package catalog

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// answerWithin is how long the members of a shard may take to say how their replica set is built. All are asked at once.
const answerWithin = 4 * time.Second

// shards reads config.shards.
func (c *Catalog) shards(ctx context.Context) ([]zones.Shard, error) {
	var entries []struct {
		ID       topology.ShardID `bson:"_id"`
		Host     string           // set/host:port,host:port
		Draining bool
		Zones    []topology.ZoneID `bson:"tags"`
	}
	if err := c.all(ctx, "read the shards", "shards", bson.D{}, &entries); err != nil {
		return nil, err
	}
	shards := make([]zones.Shard, 0, len(entries))
	for _, e := range entries {
		slices.Sort(e.Zones)
		shards = append(shards, zones.Shard{ID: e.ID, Hosts: hostsOf(e.Host), Draining: e.Draining, Zones: e.Zones})
	}
	slices.SortFunc(shards, func(a, b zones.Shard) int { return cmp.Compare(a.ID, b.ID) })
	return shards, nil
}

// hostsOf are the members that a connection string of the catalogue names: set/host:port,host:port.
func hostsOf(text string) []string {
	_, hosts, named := strings.Cut(text, "/")
	if !named {
		hosts = text
	}
	return strings.Split(hosts, ",")
}

// configServers asks the query router which they are: the catalogue itself does not have them.
func (c *Catalog) configServers(ctx context.Context) (*zones.Shard, error) {
	var status struct {
		Sharding struct {
			ConfigServers string `bson:"configsvrConnectionString"`
		}
	}
	command := bson.D{{Key: "serverStatus", Value: 1}, {Key: "metrics", Value: 0}, {Key: "locks", Value: 0}}
	err := c.admin(ctx, "ask for the config servers", command, &status)
	set, _, _ := strings.Cut(status.Sharding.ConfigServers, "/")
	switch {
	case refused(err):
		return &zones.Shard{ID: "config", Unseen: err.Error()}, nil
	case err != nil || status.Sharding.ConfigServers == "":
		return nil, err
	}
	return &zones.Shard{ID: topology.ShardID(set), Hosts: hostsOf(status.Sharding.ConfigServers)}, nil
}

// A replicaSet is what one member says of its set, each field in the answer to another command.
type replicaSet struct {
	Primary string   // hello
	Version string   // buildInfo
	FCV     struct { // getParameter
		Version string
	} `bson:"featureCompatibilityVersion"`
	Config struct { // replSetGetConfig
		Members []struct {
			zones.Member `bson:",inline"`
			ArbiterOnly  bool  `bson:"arbiterOnly"`
			Seconds      int64 `bson:"secondaryDelaySecs"`
			Tags         struct{ DC topology.DatacenterID }
		}
		Settings struct {
			Modes map[string]bson.Raw `bson:"getLastErrorModes"`
		}
	}
}

// look fills in the members of a shard, or why they are unseen, and the version of the one that
// answered.
func (c *Catalog) look(ctx context.Context, shard *zones.Shard) {
	set, err := c.askAny(ctx, shard.Hosts)
	if err != nil {
		shard.Unseen = c.unseen(err)
		return
	}
	shard.Version, shard.FCV = set.Version, set.FCV.Version
	for _, m := range set.Config.Members {
		m.DC, m.Arbiter, m.Delay, m.Primary = m.Tags.DC, m.ArbiterOnly, m.Seconds, m.Host == set.Primary
		shard.Members = append(shard.Members, m.Member)
	}
	shard.Modes = slices.Sorted(maps.Keys(set.Config.Settings.Modes))
}

// unseen says why a shard's members did not tell.
func (c *Catalog) unseen(err error) string {
	if cause, selecting := lastError(err); selecting {
		err = cause
	}
	reason := redact.Error(err, c.uri, c.secret).Error()
	switch codeOf(err) {
	case codeAuthenticationFailed:
		return "its members do not know the user (a shard has users of its own): " + reason
	case codeUnauthorized:
		return "the user lacks the action replSetGetConfig there: " + reason
	default:
		return reason
	}
}

// askAny asks all hosts at once and returns the first answer, or one of the errors.
func (c *Catalog) askAny(ctx context.Context, hosts []string) (*replicaSet, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var mu sync.Mutex
	var first error
	var got *replicaSet
	var asking sync.WaitGroup
	for _, host := range hosts {
		asking.Go(func() {
			set, err := c.ask(ctx, host)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && got == nil:
				got = &set
				cancel()
			case err != nil && (first == nil || errors.Is(first, context.DeadlineExceeded)):
				first = err
			}
		})
	}
	asking.Wait() // for all of them: none is left behind
	if got != nil {
		return got, nil
	}
	return nil, first
}

func (c *Catalog) ask(ctx context.Context, host string) (set replicaSet, err error) {
	client, err := mongo.Connect(c.memberOptions(host))
	if err != nil {
		return set, err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	for _, command := range []bson.D{
		{{Key: "hello", Value: 1}}, {{Key: "buildInfo", Value: 1}}, {{Key: "replSetGetConfig", Value: 1}},
		{{Key: "getParameter", Value: 1}, {Key: "featureCompatibilityVersion", Value: 1}},
	} {
		err := client.Database("admin").RunCommand(ctx, command, options.RunCmd().SetReadPreference(readpref.Nearest())).Decode(&set)
		if command[0].Key == "getParameter" && refused(err) { // it is not in our roles: what it tells is a warning more
			break
		}
		if err != nil {
			return set, err
		}
	}
	return set, nil
}

// memberOptions lead to one member, with the credentials and the TLS settings of the query router.
func (c *Catalog) memberOptions(host string) *options.ClientOptions {
	o := options.Client().SetHosts([]string{host}).SetDirect(true).SetServerSelectionTimeout(answerWithin).SetAppName(*c.options.AppName)
	o.Auth, o.TLSConfig, o.Dialer, o.Compressors = c.options.Auth, c.options.TLSConfig, c.options.Dialer, c.options.Compressors
	return o
}
