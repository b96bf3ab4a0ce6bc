package gateway

import (
	"context"
	"maps"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
)

// How the primaries are followed. Members report a change by themselves; the heartbeat finds those that have gone silent.
const (
	heartbeat      = time.Second
	memberWithin   = 2 * time.Second
	readListEvery  = 30 * time.Second
	readListWithin = 5 * time.Second
	readListAgain  = 2 * time.Second // after a failure
)

// A follower knows in which datacenter each shard has its primary. It reads the list of shards through a query router, and lets the driver watch each
// shard's members by `hello`: for that nobody has to log in, and no command is sent to them.
type follower struct {
	g       *Gateway
	watched map[topology.ShardID]watchedShard // touched by run alone
}

type watchedShard struct {
	hosts  string
	client *mongo.Client
}

// A primary is what is known of a shard's primary. The zero value: nothing.
type primary struct {
	// DC is where it is; empty where there is none, or where nothing is known.
	DC topology.DatacenterID
	// None: members answer, and none of them is primary.
	None bool
}

// run follows until the context ends.
func (f *follower) run(ctx context.Context) {
	defer func() {
		for id := range f.watched {
			f.forget(context.WithoutCancel(ctx), id)
		}
	}()
	next := time.Duration(0)
	for pace.Pause(ctx, next) {
		next = readListEvery
		if err := f.list(ctx); err != nil && ctx.Err() == nil {
			f.g.o.Log.Warn("the list of shards could not be read", "error", err)
			next = readListAgain
		}
	}
}

// list reads the shards, and watches those that are new or have other members.
func (f *follower) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readListWithin)
	defer cancel()
	cursor, err := f.g.o.Client.Database("config").Collection("shards").Find(ctx, bson.D{})
	if err != nil {
		return err
	}
	var shards []struct {
		ID   topology.ShardID `bson:"_id"`
		Host string           `bson:"host"` // set/host:port,host:port
	}
	if err := cursor.All(ctx, &shards); err != nil {
		return err
	}
	gone := maps.Clone(f.watched)
	for _, s := range shards {
		delete(gone, s.ID)
		if err := f.watch(ctx, s.ID, s.Host); err != nil {
			return err
		}
	}
	for id := range gone {
		f.forget(ctx, id)
	}
	return nil
}

// watch begins to watch a shard, unless that is done already.
func (f *follower) watch(ctx context.Context, id topology.ShardID, host string) error {
	if w, ok := f.watched[id]; ok && w.hosts == host {
		return nil
	}
	set, hosts, named := strings.Cut(host, "/")
	if !named {
		set, hosts = "", host
	}
	o := options.Client()
	if f.g.o.Members != nil {
		o = f.g.o.Members()
	}
	o = o.SetHosts(strings.Split(hosts, ",")).SetHeartbeatInterval(heartbeat).SetConnectTimeout(memberWithin).SetMinPoolSize(0).
		SetServerMonitor(&event.ServerMonitor{TopologyDescriptionChanged: func(e *event.TopologyDescriptionChangedEvent) {
			f.g.seen(id, primaryOf(e.NewDescription))
		}})
	if set != "" {
		o.SetReplicaSet(set)
	}
	f.forget(ctx, id)
	client, err := mongo.Connect(o)
	if err != nil {
		return err
	}
	f.watched[id] = watchedShard{host, client}
	return nil
}

// forget ends the watching of a shard.
func (f *follower) forget(ctx context.Context, id topology.ShardID) {
	if w, ok := f.watched[id]; ok {
		delete(f.watched, id)
		_ = w.client.Disconnect(ctx) // nothing is under way
		f.g.seen(id, primary{})
	}
}

// primaryOf reads what the driver has seen. As long as no member answers nothing is said: then it may be this gateway that sees nobody.
func primaryOf(d event.TopologyDescription) primary {
	seen := false
	for _, s := range d.Servers {
		switch s.Kind {
		case "RSPrimary":
			for _, tag := range s.Tags {
				if tag.Name == "dc" {
					return primary{DC: topology.DatacenterID(tag.Value)}
				}
			}
			return primary{}
		case "RSSecondary", "RSArbiter", "RSOther":
			seen = true
		}
	}
	return primary{None: seen}
}
