package explain

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// Answers by source, not recorded: from 7.3 on a find in a database that does not exist is a plan
// (SERVER-75857), and before it was an error.
func TestAnEmptyPlanMeansThatThereIsNoSuchCollection(t *testing.T) {
	for doc, want := range map[string]error{
		`{"queryPlanner": {"mongosPlannerVersion": 1, "winningPlan": {"stage": "EOF"}}}`:                                                                       errNoCollection,
		`{"queryPlanner": {"winningPlan": {"queryPlan": {"stage": "EOF", "planNodeId": 1}}}}`:                                                                  errNoCollection,
		`{"queryPlanner": {"winningPlan": {"stage": "COLLSCAN"}}}`:                                                                                             topology.ErrNoQueryRouter,
		`{"queryPlanner": {"winningPlan": {"stage": "SHARD_MERGE", "shards": [{"shardName": "nyc", "winningPlan": {"stage": "EOF"}}, {"shardName": "lon"}]}}}`: nil,
	} {
		var got answer
		if err := bson.UnmarshalExtJSON([]byte(doc), false, &got); err != nil {
			t.Fatal(err)
		}
		shards, err := got.shards()
		if !errors.Is(err, want) || (err == nil) != (want == nil) || err != nil && hint.Of(err) == "" {
			t.Errorf("%s: got %v, %v, want %v with a hint", doc, shards, err, want)
		}
	}
}
