package clustertest

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
)

// matrix checks each shard's row: every declared member is there, the home member is primary, the rest copy or vote.
func (s *suite) matrix(t *testing.T) {
	status, world := AwaitWhole(t, s), s.Topology()
	members := 0
	for _, shard := range world.Shards {
		primaries := 0
		for i, declared := range shard.Members {
			members++
			m, ok := status.Member(shard.MemberName(i))
			if !ok {
				t.Errorf("%s: declared, but not in the status", shard.MemberName(i))
				continue
			}
			want := cluster.RoleSecondary
			switch {
			case world.Arbiter(declared):
				want = cluster.RoleArbiter
			case m.Home:
				want = cluster.RolePrimary
				primaries++
			}
			if m.Role != want || m.Datacenter != declared.DC || m.Shard != shard.ID {
				t.Errorf("%s: got %s of %s in %s, want %s of %s in %s", m.Name, m.Role, m.Shard, m.Datacenter, want, shard.ID, declared.DC)
			}
		}
		if p, _ := status.Primary(shard.ID); primaries != 1 || p.Datacenter != world.HomeOf(shard.ID) {
			t.Errorf("%s: got %d home members and the primary in %s, want 1 and %s", shard.ID, primaries, p.Datacenter, world.HomeOf(shard.ID))
		}
	}
	if status.QueryRouter.Kind == "" || status.ServerVersion == "" {
		t.Errorf("got query router %q of version %q, want both", status.QueryRouter.Kind, status.ServerVersion)
	}
	t.Logf("%d shards, %d members, %d processes in all\n%s", len(world.Shards), members, len(status.Members), describe(status))
}

func (s *suite) unknownNames(t *testing.T) {
	ctx := s.context(t)
	if _, err := s.URI("nowhere"); !errors.Is(err, topology.ErrUnknownDatacenter) {
		t.Errorf("URI: got %v, want ErrUnknownDatacenter", err)
	}
	for what, do := range map[string]func(context.Context, string) error{
		"kill": s.Kill, "pause": s.Pause, "start": s.Start,
		"lag": func(ctx context.Context, m string) error { return s.SetLag(ctx, m, 0) },
	} {
		if err := do(ctx, "no/SUCH"); !errors.Is(err, topology.ErrUnknownMember) {
			t.Errorf("%s: got %v, want ErrUnknownMember", what, err)
		}
	}
	switch err := s.Grow(ctx); {
	case s.grown && err != nil:
		t.Errorf("grow what is grown: got %v, want nil", err)
	case !s.grown && (!errors.Is(err, cluster.ErrUnsupported) || Hint(err) == ""):
		t.Errorf("grow: got %v, want ErrUnsupported with a hint, since nothing was said to grow by", err)
	}
	for _, dc := range s.Topology().Datacenters {
		_, err := s.URI(dc.ID)
		if votes := dc.Role == topology.RoleVoter; votes != errors.Is(err, topology.ErrUnknownDatacenter) {
			t.Errorf("URI of %s, voter %v: got %v", dc.ID, votes, err)
		}
	}
}

// tagsAndMode reads what each shard's set was told.
func (s *suite) tagsAndMode(t *testing.T) {
	ctx := s.context(t)
	for _, shard := range s.Topology().Shards {
		home, _ := s.home(t, shard.ID)
		var got struct {
			Config layout.SetConfig `bson:"config"`
		}
		client := s.connectMember(t, home)
		must(t, client.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetGetConfig", Value: 1}}).Decode(&got))
		if len(got.Config.Members) != len(shard.Members) {
			t.Fatalf("%s: got %d members, want %d", shard.ID, len(got.Config.Members), len(shard.Members))
		}
		for i, m := range got.Config.Members {
			declared := shard.Members[i]
			votes := s.Topology().Arbiter(declared)
			if m.Arbiter != votes || !votes && m.Tags["dc"] != string(declared.DC) {
				t.Errorf("%s: got arbiter %v and tags %v, want %v and dc %s", shard.MemberName(i), m.Arbiter, m.Tags, votes, declared.DC)
			}
			if !votes && m.Priority != declared.Priority {
				t.Errorf("%s: got priority %v, want %v", shard.MemberName(i), m.Priority, declared.Priority)
			}
		}
		if n := got.Config.Settings.Modes["multiDatacenter"]["dc"]; n != 2 {
			t.Errorf("%s: mode multiDatacenter wants %d datacenters, want 2", shard.ID, n)
		}
	}
}

// routers writes through each datacenter's query router and reads it through every other.
func (s *suite) routers(t *testing.T) {
	ctx := s.context(t)
	clients := s.routerClients(t)
	for dc, client := range clients {
		notes := client.Database("clustertest").Collection("notes", options.Collection().SetWriteConcern(writeconcern.Majority()))
		if _, err := notes.InsertOne(ctx, bson.M{"_id": string(dc)}); err != nil {
			t.Fatalf("write through %s: %v", dc, err)
		}
	}
	for dc, client := range clients {
		for from := range clients {
			var got bson.M
			err := client.Database("clustertest").Collection("notes").FindOne(ctx, bson.M{"_id": string(from)}).Decode(&got)
			if err != nil {
				t.Errorf("read %s's note through %s: %v", from, dc, err)
			}
		}
	}
	t.Logf("%d writes, %d reads", len(clients), len(clients)*len(clients))
}

func (s *suite) routerClients(t *testing.T) map[topology.DatacenterID]*mongo.Client {
	t.Helper()
	clients := map[topology.DatacenterID]*mongo.Client{}
	for _, dc := range s.Topology().Datacenters {
		if dc.Role == topology.RoleVoter {
			continue
		}
		uri, err := s.routerURI(dc.ID)
		must(t, err)
		clients[dc.ID] = connect(t, uri)
	}
	return clients
}

func (s *suite) connectMember(t *testing.T, member string) *mongo.Client {
	t.Helper()
	uri, err := s.memberURI(member)
	must(t, err)
	return connect(t, uri)
}

func connect(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	must(t, err)
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return client
}
