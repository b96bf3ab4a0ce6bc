package container

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
)

// form starts fresh members and makes them a sharded cluster, or part of the one that the old ones are.
func (c *Cluster) form(ctx context.Context, old, fresh []*member) error {
	f := replica.Formation[*member]{
		Old: old, Fresh: fresh, Launch: c.begin,
		ElectionTimeout: c.electionTimeout, Report: c.report,
	}
	return f.Run(ctx)
}

// begin makes and starts a member's container and waits until its process answers.
func (c *Cluster) begin(ctx context.Context, m *member) error {
	if err := c.create(ctx, m); err != nil {
		return err
	}
	return replica.AwaitHello(ctx, m, "answer", func(replica.Hello) bool { return true })
}

// identify asks what was started: MongoDB's version, and whether its own mongos routes.
func (c *Cluster) identify(ctx context.Context) error {
	members := c.roster.Members()
	first := slices.IndexFunc(members, func(m *member) bool { return m.Kind == layout.Router })
	var router struct {
		Version   string `bson:"version"`
		Devmongos bson.D `bson:"devmongos"`
	}
	if err := members[first].Run(ctx, bson.D{{Key: "serverStatus", Value: 1}}, &router); err != nil {
		return err
	}
	c.router = cluster.QueryRouter{Kind: "mongos", Version: router.Version}
	if router.Devmongos != nil {
		c.router.Kind = "devmongos"
	}
	return nil
}
