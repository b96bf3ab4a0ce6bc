package zones_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// A new collection gets its validator before it is sharded, so that every shard has it: collMod of
// older servers changes it on the shards that own chunks alone, and listCollections tells that of
// the database's primary shard, which may own none.
func TestAValidatorReachesAPrimaryShardWithoutChunks(t *testing.T) {
	s := open(t, clustertest.Alone(t))
	world := *s.cluster.Topology()
	from := topology.StringOf("A")
	world.Zones = []topology.Zone{{ID: "VZ", Shards: []topology.ShardID{"s1"}}}
	world.Namespaces = []topology.Namespace{{
		Name: "validated.carts", Key: topology.Key{{Name: "dc"}}, ZoneBy: "dc", Unknown: topology.UnknownReject, OnlyRanges: true,
		Ranges: []topology.Range{{Zone: "VZ", From: &from}},
	}}
	t.Cleanup(func() { s.leave(t, &world) })
	carts := collection(s.Client(), "validated.carts")
	s.admin(t, bson.D{{Key: "enableSharding", Value: "validated"}, {Key: "primaryShard", Value: "s2"}})
	o := plan.Options{Shard: true}
	s.apply(t, &world, o)
	if owners := s.owners(t, "validated.carts"); slices.Contains(owners, "s2") {
		t.Fatalf("got chunks on %v, want none on s2", owners)
	}
	refuses(t, carts, 5)
	gap := bson.D{{Key: "moveChunk", Value: "validated.carts"}, {Key: "find", Value: bson.D{{Key: "dc", Value: 5}}}}
	s.admin(t, append(slices.Clone(gap), bson.E{Key: "to", Value: "s2"}))
	refuses(t, carts, 5)
	s.admin(t, append(slices.Clone(gap), bson.E{Key: "to", Value: "s0"}))

	// It has to change now. Where it cannot, the plan says why, and what to do.
	world.Namespaces[0].Ranges = []topology.Range{{Zone: "VZ", Values: []topology.Value{topology.StringOf("A"), topology.StringOf("B")}}}
	o.Prune = true
	p := s.apply(t, &world, o)
	i := slices.IndexFunc(p.Findings, func(f zones.Finding) bool { return f.Rule == "validator-out-of-reach" })
	if reached := s.reachesPrimaries(t); reached != (i < 0) {
		t.Fatalf("got findings %v, want that the validator is out of reach: %v", p.Findings, !reached)
	}
	if i >= 0 {
		s.outOfReach(t, p.Findings[i])
		if p = s.apply(t, &world, o); len(p.Steps) != 1 {
			t.Errorf("got %v, want the validator alone", p.Steps)
		}
	}
	refuses(t, carts, "C")
	if _, err := carts.InsertOne(t.Context(), bson.D{{Key: "dc", Value: "B"}}); err != nil {
		t.Error(err)
	}
}

// reachesPrimaries tells that collMod changes the primary shard's validator too where that one owns
// no chunks (SERVER-71819): 6.0.5 does not, 6.0.27 does.
func (s access) reachesPrimaries(t *testing.T) bool {
	t.Helper()
	state, err := s.Read(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := serverversion.Parse(state.Version)
	if err != nil {
		t.Fatal(err)
	}
	return !v.Less(serverversion.Version{6, 0, 27})
}

// outOfReach sets the validator all the same, which is not taken for done, and makes a shard with
// chunks the primary.
func (s access) outOfReach(t *testing.T, told zones.Finding) {
	t.Helper()
	rule := document(t, bson.D{{Key: "dc", Value: bson.D{{Key: "$exists", Value: true}}}})
	err := s.Perform(t.Context(), zones.SetValidator{Collection: "validated.carts", Validator: shardkey.ExtJSON(rule), Level: "strict", Action: "error"})
	if !errors.Is(err, catalog.ErrIgnored) || !strings.Contains(hint.Of(err), "movePrimary") {
		t.Errorf("got %v, hint %q, want ErrIgnored and movePrimary", err, hint.Of(err))
	}
	t.Logf("%s\n  hint: %s", told.Message, told.Hint)
	s.admin(t, bson.D{{Key: "movePrimary", Value: "validated"}, {Key: "to", Value: "s0"}})
}

// refuses wants a value to be refused by the validator.
func refuses(t *testing.T, carts *mongo.Collection, v any) {
	t.Helper()
	_, err := carts.InsertOne(t.Context(), bson.D{{Key: "dc", Value: v}})
	const failedValidation = 121
	if refused, ok := err.(mongo.WriteException); !ok || !refused.HasErrorCode(failedValidation) {
		t.Errorf("%v: got %v, want it refused", v, err)
	}
}

func (s access) admin(t *testing.T, cmd bson.D) {
	t.Helper()
	if err := s.Client().Database("admin").RunCommand(t.Context(), cmd).Err(); err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
}

// owners are the shards that own chunks of a collection.
func (s access) owners(t *testing.T, name string) []topology.ShardID {
	t.Helper()
	state, err := s.Read(t.Context(), []string{name})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := state.Collection(name)
	var all []topology.ShardID
	for _, chunk := range c.Chunks {
		all = append(all, chunk.Shard)
	}
	return all
}
