package api

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// By source, not recorded: from 8.2 on a secondary kills a read that began before a migration, when
// that one's orphans are deleted. It can be sent again.
func TestAKilledReadIsNoInternalError(t *testing.T) {
	killed := mongo.CommandError{Code: 175, Name: "QueryPlanKilled", Message: "Read has been terminated due to orphan range cleanup"}
	if k, shown := kindOf(killed); k != away || shown {
		t.Errorf("got %+v, shown %v, want %+v", k, shown, away)
	}
}
