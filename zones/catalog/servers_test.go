package catalog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Entries by source, not recorded: from 8.0 on config.collections has collections that are not
// sharded, from 8.3 on time series by their own name.
func TestOnlyShardedCollectionsAreTakenForThat(t *testing.T) {
	for doc, want := range map[string]bool{
		`{"_id": "shop.carts", "key": {"dc": 1}, "unique": false}`:                                                     true,
		`{"_id": "shop.back", "key": {"dc": 1}, "unsplittable": false}`:                                                true,
		`{"_id": "shop.moved", "key": {"_id": 1}, "unsplittable": true}`:                                               false,
		`{"_id": "shop.gone", "dropped": true}`:                                                                        false,
		`{"_id": "shop.weather", "key": {"meta.dc": 1}, "timeseriesFields": {"timeField": "at", "metaField": "meta"}}`: false,
		`{"_id": "shop.system.buckets.weather", "key": {"meta.dc": 1}, "timeseriesFields": {"timeField": "at"}}`:       false,
		`{"_id": "config.system.sessions", "key": {"_id": 1}}`:                                                         false,
	} {
		var e collectionEntry
		if err := bson.UnmarshalExtJSON([]byte(doc), false, &e); err != nil {
			t.Fatal(err)
		}
		if e.sharded() != want {
			t.Errorf("%s: got %v, want %v", doc, e.sharded(), want)
		}
	}
}

// Modes of the balancer: 6.0 has three, later ones two; the settings of a cluster that was upgraded
// may have the third.
func TestModesInWhichTheBalancerMoves(t *testing.T) {
	for mode, want := range map[string]bool{"full": true, "off": false, "autoSplitOnly": false, "": true, "later": true} {
		if got := moves(mode); got != want {
			t.Errorf("%q: got %v, want %v", mode, got, want)
		}
	}
}

// By source, not recorded: 8.0 answers ShardKeyNotFound to ranges of a collection that
// moveCollection moved.
func TestARangeOfAMovedCollectionIsToldFromBadBounds(t *testing.T) {
	c := &Catalog{}
	answer := func() error {
		return c.fail("give shop.moved the range r", "updateZoneKeyRange", "shop.moved", mongo.CommandError{Code: codeShardKeyNotFound, Message: "shard key not found"})
	}
	for _, test := range []struct {
		entry collectionEntry
		want  error
		hint  string
	}{
		{collectionEntry{Name: "shop.moved", Unsplittable: true}, ErrNotSharded, "moveCollection"},
		{collectionEntry{Name: "shop.moved"}, ErrBadBounds, "make the plan anew"},
	} {
		err := ofMoved(answer(), test.entry)
		var told *Error
		if !errors.Is(err, test.want) || !errors.As(err, &told) || !strings.Contains(told.Hint(), test.hint) {
			t.Errorf("%+v: got %v, hint %q, want %v", test.entry, err, told.Hint(), test.want)
		}
	}
}

// Before 6.0.3 the stage does not exist. That is told from a user who may not use it.
func TestOrphansThatNobodyCanCount(t *testing.T) {
	c := &Catalog{}
	for code, want := range map[int32]bool{codeUnknownStage: true, codeCommandNotFound: true, codeUnauthorized: false, codeNamespaceNotFound: false} {
		err := c.fail("count the orphans", "$shardedDataDistribution", "", mongo.CommandError{Code: code, Message: "Unrecognized pipeline stage name: '$shardedDataDistribution'"})
		if got := uncounted(err); (got != "") != want || want && !strings.Contains(got, "6.0.3") {
			t.Errorf("code %d: got %q, want a reason: %v", code, got, want)
		}
	}
	if got := uncounted(nil); got != "" {
		t.Errorf("got %q without an error", got)
	}
}

// Where config.collections cannot be written, the command of late 8.0 and 8.1 stands in
// (SERVER-78849).
func TestBalancingIsHeldByCommand(t *testing.T) {
	if diff := cmp.Diff(bson.D{{Key: "configureCollectionBalancing", Value: "shop.carts"}, {Key: "enableBalancing", Value: false}}, balancing("shop.carts", true)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	var tried []int
	for _, code := range []int{codeUnauthorized, codeAtlas, codeNamespaceNotFound, codeShardNotFound} {
		if unwritable(mongo.CommandError{Code: int32(code)}) {
			tried = append(tried, code)
		}
	}
	if !slices.Equal(tried, []int{codeUnauthorized, codeAtlas}) {
		t.Errorf("got %v, want those of a user who may not write and of Atlas", tried)
	}
}
