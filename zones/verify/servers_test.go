package verify

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/dns"

	"github.com/geoshard/geoshard/hint"
)

// The documents below are what versions of MongoDB answer that cannot be had here: by source, not
// recorded. docs/versions.md names the sources.

// read decodes a document as an answer is.
func read(t *testing.T, doc string, into any) {
	t.Helper()
	if err := bson.UnmarshalExtJSON([]byte(doc), false, into); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
}

// From 7.3 on explain of a find in a database that does not exist is a plan (SERVER-75857).
func TestAnEmptyPlanMeansThatThereIsNoSuchCollection(t *testing.T) {
	for doc, want := range map[string]bool{
		`{"queryPlanner": {"mongosPlannerVersion": 1, "winningPlan": {"stage": "EOF"}}}`:                                                                       true,
		`{"queryPlanner": {"winningPlan": {"queryPlan": {"stage": "EOF", "planNodeId": 1}}}}`:                                                                  true,
		`{"queryPlanner": {"winningPlan": {"stage": "SINGLE_SHARD", "shards": [{"shardName": "nyc"}]}}}`:                                                       false,
		`{"queryPlanner": {"winningPlan": {"stage": "COLLSCAN"}}}`:                                                                                             false,
		`{"queryPlanner": {"winningPlan": {"stage": "SHARD_MERGE", "shards": [{"shardName": "nyc", "winningPlan": {"stage": "EOF"}}, {"shardName": "lon"}]}}}`: false,
		`{"queryPlanner": {"winningPlan": {"shards": [{"shardName": "nyc", "winningPlan": {"stage": "EOF"}}]}}, "executionStats": {"executionStages": {}}}`:    false,
		`{"queryPlanner": {"winningPlan": {}}}`:                                                                                                                false,
	} {
		var got explained
		read(t, doc, &got)
		if got.empty() != want {
			t.Errorf("%s: got %v, want %v", doc, got.empty(), want)
		}
	}
}

// From 8.0 on a member refuses reads of documents to a user without directShardOperations: 13, as
// for any privilege that is missing.
func TestARefusedReadNamesTheRoles(t *testing.T) {
	answer := mongo.CommandError{Code: 13, Name: "Unauthorized", Message: "You are connecting to a sharded cluster improperly by connecting directly to a shard. Please connect to the cluster via a router (mongos)."}
	if err := refusedRead(fmt.Errorf("count: %w", answer)); !errors.As(err, &mongo.CommandError{}) || !strings.Contains(hint.Of(err), "directShardOperations") {
		t.Errorf("got %v with the hint %q, want directShardOperations in it", err, hint.Of(err))
	}
	other := errors.New("no connection")
	if err := refusedRead(other); err != other {
		t.Errorf("got %v, want it as it was", err)
	}
}

// From 8.2 on a long read of a secondary may be killed when a migration's orphans are deleted:
// core/long-running-secondary-reads.
func TestAKilledReadIsRepeatedOnce(t *testing.T) {
	killed := mongo.CommandError{Code: 175, Name: "QueryPlanKilled", Message: "Read has been terminated due to orphan range cleanup"}
	for _, c := range []struct {
		answers []error
		want    error
		asked   int
	}{
		{[]error{nil}, nil, 1},
		{[]error{killed, nil}, nil, 2},
		{[]error{killed, killed, nil}, killed, 2},
		{[]error{errors.ErrUnsupported, nil}, errors.ErrUnsupported, 1},
	} {
		asked := 0
		got, err := againIfKilled(func() (int, error) {
			asked++
			return asked, c.answers[asked-1]
		})
		if asked != c.asked || got != asked || fmt.Sprint(err) != fmt.Sprint(c.want) {
			t.Errorf("%v: got %d, %v after %d times, want %v after %d", c.answers, got, err, asked, c.want, c.asked)
		}
	}
}

// From 8.0 on a secondary has written operations that it has not applied yet: what it shows is told
// by optimes.appliedOpTime.
func TestAppliedIsNotWritten(t *testing.T) {
	var status replicaStatus
	read(t, `{"set": "nyc", "myState": 2, "optimes": {
		"lastCommittedOpTime": {"ts": {"$timestamp": {"t": 10, "i": 1}}, "t": {"$numberLong": "1"}},
		"appliedOpTime": {"ts": {"$timestamp": {"t": 10, "i": 2}}, "t": {"$numberLong": "1"}},
		"durableOpTime": {"ts": {"$timestamp": {"t": 10, "i": 3}}, "t": {"$numberLong": "1"}},
		"writtenOpTime": {"ts": {"$timestamp": {"t": 10, "i": 4}}, "t": {"$numberLong": "1"}}}}`, &status)
	if want := (bson.Timestamp{T: 10, I: 2}); status.Optimes.Applied.TS != want {
		t.Errorf("got %v, want %v", status.Optimes.Applied.TS, want)
	}
}

// A mongodb+srv string stands for TLS and for options in a TXT record. Members are connected to one
// by one, with all of that.
func TestMembersAreReachedAsASeedlistSays(t *testing.T) {
	given := *dns.DefaultResolver
	t.Cleanup(func() { *dns.DefaultResolver = given })
	dns.DefaultResolver.LookupSRV = func(_, _, name string) (string, []*net.SRV, error) {
		return "", []*net.SRV{{Target: "a." + name, Port: 27017}, {Target: "b." + name, Port: 27017}}, nil
	}
	dns.DefaultResolver.LookupTXT = func(string) ([]string, error) { return []string{"authSource=audit&replicaSet=nyc"}, nil }
	v := &verifier{options: Options{ShardClient: options.Client().ApplyURI("mongodb+srv://amy:sesame@shards.example.net/")}, mapped: map[string]bool{}}
	o := v.memberOptions("nyc-1.example.net:27018")
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.Hosts, []string{"nyc-1.example.net:27018"}) || !*o.Direct || o.ReplicaSet != nil || strings.Contains(o.GetURI(), "+srv") {
		t.Errorf("got %v, direct %v, set %v, %s", o.Hosts, *o.Direct, o.ReplicaSet, o.GetURI())
	}
	if o.TLSConfig == nil || o.Auth == nil || o.Auth.AuthSource != "audit" || o.Auth.Password != "sesame" {
		t.Errorf("got TLS %v, login %+v, want those of the seedlist", o.TLSConfig, o.Auth)
	}
}
