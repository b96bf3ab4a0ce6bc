package verify

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/internal/serverversion"
)

// preflight warns of what the servers' versions mean for the proof. A server that does not tell its
// version is left out: the proof meets it anyway.
func (v *verifier) preflight(ctx context.Context, shards []shard) {
	login := v.options.ShardClient != nil && v.options.ShardClient.Auth != nil
	f := serverversion.Facts{Shards: len(shards), Direct: login && !v.options.ViaRouter}
	for _, s := range shards {
		f.ConfigShard = f.ConfigShard || s.ID == "config"
	}
	servers := make([]serverversion.Server, len(v.members)+1)
	var asking errgroup.Group
	asking.Go(func() error {
		servers[0] = versionOf(ctx, v.router, "the query router", false)
		return nil
	})
	for i, m := range v.members {
		asking.Go(func() error {
			servers[i+1] = versionOf(ctx, m.client, fmt.Sprintf("%s of shard %s", m.host, m.shard), true)
			return nil
		})
	}
	_ = asking.Wait() // none of them fails
	v.version = servers[0].Version
	for _, s := range servers {
		if s.Version != "" {
			f.Servers = append(f.Servers, s)
		}
	}
	for _, w := range serverversion.Preflight(f) {
		v.report.Warnings = append(v.report.Warnings, w.String())
	}
}

// versionOf asks a server for its version, and a member for its featureCompatibilityVersion, which
// takes the privilege getParameter.
func versionOf(ctx context.Context, client *mongo.Client, name string, member bool) serverversion.Server {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	admin := client.Database("admin")
	var build struct{ Version string }
	if admin.RunCommand(ctx, bson.M{"buildInfo": 1}).Decode(&build) != nil {
		return serverversion.Server{}
	}
	var parameters struct {
		FCV struct{ Version string } `bson:"featureCompatibilityVersion"`
	}
	if member {
		ask := bson.D{{Key: "getParameter", Value: 1}, {Key: "featureCompatibilityVersion", Value: 1}}
		_ = admin.RunCommand(ctx, ask).Decode(&parameters) // may be refused
	}
	return serverversion.Server{Name: name, Version: build.Version, FCV: parameters.FCV.Version}
}
