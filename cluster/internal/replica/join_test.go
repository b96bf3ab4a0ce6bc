package replica

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster/internal/layout"
)

func member(id int, host string, votes int, priority float64) layout.SetMember {
	return layout.SetMember{ID: id, Host: host, Priority: priority, Votes: votes}
}

// A configuration that a server tells goes back with all that it says.
func TestConfigurationsKeepWhatTheySay(t *testing.T) {
	told := bson.M{
		"_id": "s", "version": int32(4), "term": int32(2), "protocolVersion": int64(1), "settings": bson.M{
			"electionTimeoutMillis": int64(2000), "heartbeatIntervalMillis": int64(2000), "getLastErrorModes": bson.M{"m": bson.M{"dc": int32(2)}}, "replicaSetId": bson.NewObjectID(),
		},
		"members": bson.A{bson.M{
			"_id": int32(0), "host": "a:1", "priority": 2.5, "votes": int32(1), "tags": bson.M{"dc": "A"}, "hidden": true, "secondaryDelaySecs": int64(3),
		}},
	}
	encoded, err := bson.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	var config layout.SetConfig
	if err := bson.Unmarshal(encoded, &config); err != nil {
		t.Fatal(err)
	}
	again, err := bson.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if err := errors.Join(bson.Unmarshal(encoded, &want), bson.Unmarshal(again, &got)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// sorted makes documents comparable, whose fields have no order here.
func sorted(value any) any {
	switch v := value.(type) {
	case map[string]any:
		all := map[string]any{}
		for key, inner := range v {
			all[key] = sorted(inner)
		}
		return all
	case bson.D:
		all := map[string]any{}
		for _, e := range v {
			all[e.Key] = sorted(e.Value)
		}
		return all
	case bson.M:
		return sorted(map[string]any(v))
	case bson.A:
		var all []any
		for _, inner := range v {
			all = append(all, sorted(inner))
		}
		return all
	default:
		return v
	}
}

// A member gets the next identifier that was never used, and is added once.
func TestMembersAreAddedOnce(t *testing.T) {
	n := layout.Node{Kind: layout.Data, DC: "C", Priority: 3, Votes: 1}
	there := []layout.SetMember{member(0, "a:1", 1, 2), member(4, "b:1", 1, 1)}
	more, changed := added(there, n, "c:1")
	if !changed || len(more) != 3 || more[2].ID != 5 || more[2].Host != "c:1" {
		t.Errorf("got %v, %v", more, changed)
	}
	again, changed := added(there, n, "b:1")
	if changed || len(again) != 2 {
		t.Errorf("added again: got %v, %v", again, changed)
	}
}

// A member gets its vote and priority once, an arbiter with its place.
func TestMembersAreEmpoweredOnce(t *testing.T) {
	n := layout.Node{Kind: layout.Data, DC: "B", Priority: 3, Votes: 1}
	members, changed := empowered([]layout.SetMember{member(0, "a:1", 1, 2), member(1, "b:1", 0, 0)}, n, "b:1")
	if !changed || members[1].Votes != 1 || members[1].Priority != 3 {
		t.Errorf("got %v, %v", members, changed)
	}
	if _, changed := empowered([]layout.SetMember{member(0, "a:1", 1, 2), member(1, "b:1", 1, 3)}, n, "b:1"); changed {
		t.Error("one that has its vote is changed again")
	}
	arbiter := layout.Node{Kind: layout.Arbiter, DC: "C", Votes: 1}
	members, changed = empowered([]layout.SetMember{member(0, "a:1", 1, 2)}, arbiter, "c:1")
	if !changed || len(members) != 2 || !members[1].Arbiter {
		t.Errorf("an arbiter: got %v, %v", members, changed)
	}
}
