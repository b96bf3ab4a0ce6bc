package consistency_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/consistency"
)

// offline starts a session of a client that never connects: sessions themselves need no server.
func offline(t testing.TB) *mongo.Session {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:1").SetServerSelectionTimeout(50 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.EndSession(context.Background())
		_ = client.Disconnect(context.Background())
	})
	return session
}

func TestATokenGoesFromSessionToSession(t *testing.T) {
	for name, token := range map[string]consistency.Token{"signed by the server": largest(), "not signed": smallest()} {
		first, second := offline(t), offline(t)
		if err := token.Advance(first); err != nil {
			t.Fatal(err)
		}
		taken, err := consistency.TokenOf(first, token.Home, issued)
		if err != nil {
			t.Fatal(err)
		}
		if taken != token {
			t.Errorf("%s: got %+v, want %+v", name, taken, token)
		}
		if err := taken.Advance(second); err != nil {
			t.Fatal(err)
		}
		if string(second.ClusterTime()) != string(first.ClusterTime()) || !second.OperationTime().Equal(*first.OperationTime()) {
			t.Errorf("%s: got %v at %v, want %v at %v", name, second.ClusterTime(), second.OperationTime(), first.ClusterTime(), first.OperationTime())
		}
	}
}

func TestAnOlderTokenTakesASessionNowhere(t *testing.T) {
	session := offline(t)
	for _, token := range []consistency.Token{largest(), smallest()} {
		if err := token.Advance(session); err != nil {
			t.Fatal(err)
		}
	}
	if got := *session.OperationTime(); got != largest().OperationTime {
		t.Errorf("got %v, want %v", got, largest().OperationTime)
	}
}

func TestASessionThatHasDoneNothingHasNoToken(t *testing.T) {
	if _, err := consistency.TokenOf(offline(t), "LON", issued); !errors.Is(err, consistency.ErrNoOperation) {
		t.Errorf("got %v, want ErrNoOperation", err)
	}
}

func TestClusterTimesOfAnUnknownFormAreRefused(t *testing.T) {
	for name, inner := range map[string]bson.D{
		"a short signature": {{Key: "clusterTime", Value: bson.Timestamp{T: 9}}, {Key: "signature", Value: bson.D{{Key: "hash", Value: bson.Binary{Data: []byte{1}}}}}},
	} {
		raw, err := bson.Marshal(bson.D{{Key: "$clusterTime", Value: inner}})
		if err != nil {
			t.Fatal(err)
		}
		session := offline(t)
		if err := errors.Join(session.AdvanceClusterTime(raw), session.AdvanceOperationTime(&bson.Timestamp{T: 1})); err != nil {
			t.Fatal(err)
		}
		if _, err := consistency.TokenOf(session, "LON", issued); !errors.Is(err, consistency.ErrTokenMalformed) {
			t.Errorf("%s: got %v, want ErrTokenMalformed", name, err)
		}
	}
}

// Only a read that ran out of time while it waited is "not caught up": other errors, and the caller's own end, come back as they are.
func TestWithinTellsWaitingFromOtherFailures(t *testing.T) {
	session := offline(t)
	if err := largest().Advance(session); err != nil {
		t.Fatal(err)
	}
	ctx := mongo.NewSessionContext(t.Context(), session)
	waits := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if err := consistency.Within(ctx, time.Millisecond, waits); !errors.Is(err, consistency.ErrNotCaughtUp) {
		t.Errorf("waited: got %v, want ErrNotCaughtUp", err)
	}
	own, cancel := context.WithCancel(ctx)
	cancel()
	if err := consistency.Within(own, time.Minute, waits); !errors.Is(err, context.Canceled) || errors.Is(err, consistency.ErrNotCaughtUp) {
		t.Errorf("the caller's end: got %v", err)
	}
	broken := errors.New("broken")
	if err := consistency.Within(ctx, time.Minute, func(context.Context) error { return broken }); err != broken {
		t.Errorf("another error: got %v", err)
	}
	if err := consistency.Within(ctx, time.Minute, func(context.Context) error { return nil }); err != nil {
		t.Errorf("no error: got %v", err)
	}
	nobody := func(ctx context.Context) error {
		return session.Client().Database("d").Collection("c").FindOne(ctx, bson.D{}).Err()
	}
	if err := consistency.Within(ctx, 20*time.Millisecond, nobody); err == nil || errors.Is(err, consistency.ErrNotCaughtUp) {
		t.Errorf("no server: got %v, want the driver's own error", err)
	}
}
