package devmongos

import (
	"errors"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

func encoded(t *testing.T, v bson.D) bsoncore.Document {
	t.Helper()
	if v == nil {
		return nil
	}
	raw, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A cluster* command with a transaction number aborts the core; a plain insert would be stored in it.
func TestCoreIsSentOnlyWhatItSurvives(t *testing.T) {
	for _, test := range []struct {
		cmd     bson.D
		allowed bool
	}{
		{d("clusterFind", "c", "lsid", bson.D{}), true},
		{d("explain", d("clusterFind", "c")), true},
		{d("flushRouterConfig", "a.b"), true},
		{d("clusterFind", "c", "txnNumber", int64(1)), false},
		{d("clusterAggregate", "c", "autocommit", false), false},
		{d("explain", d("clusterFind", "c", "txnNumber", int64(1))), false},
		{d("explain", d("find", "c")), false},
		{d("clusterInsert", "c"), false},
		{d("insert", "c"), false},
		{d("find", "c"), false},
		{d("clusterAggregate", "c", "pipeline", bson.A{d("$match", d("a", "$changeStream"))}), true},
		{d("clusterAggregate", "c", "pipeline", bson.A{d("$changeStream", d())}), false},
		{d("clusterAggregate", 1, "pipeline", bson.A{d("$match", d()), d("$changeStream", d())}), false},
		{d("clusterAggregate", "c", "pipeline", bson.A{d("$facet", d("a", bson.A{d("$changeStream", d())}))}), false},
		{d("clusterAggregate", "c", "pipeline", bson.A{d("$unionWith", d("coll", "d", "pipeline", bson.A{d("$changeStream", d())}))}), false},
		{d("explain", d("clusterAggregate", "c", "pipeline", bson.A{d("$changeStream", d())})), false},
		{d("clusterFind", "c", "tailable", true), false},
		{d("clusterFind", "c", "tailable", false), true},
	} {
		if err := checkForCore(encoded(t, test.cmd)); (err == nil) != test.allowed {
			t.Errorf("%v: %v, want allowed %t", test.cmd, err, test.allowed)
		}
	}
}

// Without a level a secondary checks no version and returns orphans; without w a shard acknowledges alone.
func TestConcernsAreAlwaysStated(t *testing.T) {
	for _, test := range []struct{ given, defaults, want bson.D }{
		{nil, nil, d("level", "local")},
		{nil, d("level", "majority"), d("level", "majority")},
		{d("level", "snapshot"), d("level", "majority"), d("level", "snapshot")},
		{d("afterClusterTime", bson.Timestamp{T: 1}), nil, d("afterClusterTime", bson.Timestamp{T: 1}, "level", "local")},
	} {
		got := build(func(dst []byte) []byte {
			return appendReadConcern(dst, encoded(t, test.given), encoded(t, test.defaults))
		})
		if want := encoded(t, d("readConcern", test.want)); !slices.Equal(got, want) {
			t.Errorf("read concern %v with default %v: got %v, want %v", test.given, test.defaults, got, want)
		}
	}
	majority := d("w", "majority", "wtimeout", int32(0))
	for _, test := range []struct{ given, want bson.D }{
		{nil, majority},
		{d("w", int32(0)), d("w", int32(1))},
		{d("w", int32(2)), d("w", int32(2))},
		{d("j", true), d("j", true, "w", "majority")},
	} {
		got := build(func(dst []byte) []byte { return appendWriteConcern(dst, encoded(t, test.given), encoded(t, majority)) })
		if want := encoded(t, d("writeConcern", test.want)); !slices.Equal(got, want) {
			t.Errorf("write concern %v: got %v, want %v", test.given, got, want)
		}
	}
}

// Drivers send a retryable write again only if they are told so, and nothing else.
func TestErrorsOfTheWayAreRetryableForRetryableWrites(t *testing.T) {
	lost := &transportError{Host: "h:1", Sent: true, Err: errors.New("EOF")}
	for _, test := range []struct {
		err       error
		retryable bool
		labelled  bool
	}{{lost, true, true}, {lost, false, false}, {refuse(codeBadValue, "x"), true, false}, {refuse(codeNoReadPreference, "x"), true, true}} {
		doc := errorReply(test.err, test.retryable)
		if got := len(arrayValues(field(doc, "errorLabels"))) > 0; got != test.labelled || codeOf(doc) == 0 {
			t.Errorf("%v, retryable write %t: got %v", test.err, test.retryable, doc)
		}
	}
}

// The answers of shards are numbered by their own sub-batches; the client's numbers come back.
func TestResultsCarryTheClientsIndexes(t *testing.T) {
	w := writeResult{kind: "update"}
	for _, answer := range []struct {
		items []int
		doc   bson.D
	}{
		{[]int{1, 4, 5}, d("n", 2, "nModified", 1, "upserted", bson.A{d("index", 2, "_id", "u")}, "ok", 1.0)},
		{[]int{0, 2, 3}, d("n", 1, "nModified", 1, "writeErrors", bson.A{d("index", 1, "code", 11000, "errmsg", "dup"), d("index", 2, "code", 13388, "errmsg", "stale")}, "ok", 1.0)},
	} {
		turnedAway, _ := w.absorb(&subBatch{items: answer.items, reply: reply{doc: encoded(t, answer.doc)}})
		if len(turnedAway) > 0 && (turnedAway[0].at != 2 || turnedAway[0].code != codeStaleConfig) {
			t.Errorf("turned away: %v", turnedAway)
		}
	}
	want := encoded(t, d("n", int32(3), "nModified", int32(2), "upserted", bson.A{d("index", int32(5), "_id", "u")},
		"writeErrors", bson.A{d("index", int32(2), "code", 11000, "errmsg", "dup")}, "ok", 1.0))
	if got := w.document(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
