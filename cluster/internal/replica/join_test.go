package replica

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster/internal/layout"
)

func member(id int32, host string, votes int32, priority float64) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "host", Value: host}, {Key: "priority", Value: priority}, {Key: "votes", Value: votes}}
}

// A member gets the next identifier that was never used, and is added once.
func TestMembersAreAddedOnce(t *testing.T) {
	n := layout.Node{Kind: layout.Data, DC: "C", Priority: 3, Votes: 1}
	there := []bson.D{member(0, "a:1", 1, 2), member(4, "b:1", 1, 1)}
	more, changed := added(there, n, "c:1")
	if !changed || len(more) != 3 || field(more[2], "_id") != 5 || field(more[2], "host") != "c:1" {
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
	members, changed := empowered([]bson.D{member(0, "a:1", 1, 2), member(1, "b:1", 0, 0)}, n, "b:1")
	if !changed || field(members[1], "votes") != 1 || field(members[1], "priority") != 3.0 {
		t.Errorf("got %v, %v", members, changed)
	}
	if _, changed := empowered([]bson.D{member(0, "a:1", 1, 2), member(1, "b:1", 1, 3)}, n, "b:1"); changed {
		t.Error("one that has its vote is changed again")
	}
	arbiter := layout.Node{Kind: layout.Arbiter, DC: "C", Votes: 1}
	members, changed = empowered([]bson.D{member(0, "a:1", 1, 2)}, arbiter, "c:1")
	if !changed || len(members) != 2 || field(members[1], "arbiterOnly") != true {
		t.Errorf("an arbiter: got %v, %v", members, changed)
	}
}
