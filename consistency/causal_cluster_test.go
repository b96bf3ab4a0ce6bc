package consistency_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/consistency"
)

const (
	// heldBack is what London's member is behind while users travel there.
	heldBack = 200 * time.Millisecond
	// travellers write in New York and read in London, side by side.
	travellers = 24
)

// tokens lets users write in New York and read in London, where the only member lags: with a token that another process opens they
// miss nothing, without they do. Through the query routers of both places, and on a replica set without any.
func tokens(t *testing.T, w *world) {
	if err := w.SetLag(t.Context(), "three/LON", heldBack); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.SetLag(context.Background(), "three/LON", 0); err != nil {
			t.Error(err)
		}
	}()
	session := lookup(t, "session")
	nyc, lon := w.routed(t, "NYC", session, nil), w.routed(t, "LON", session, nil)
	name := w.at(t, nyc, "three").Name()
	for _, way := range []struct {
		name       string
		nyc, lon   *mongo.Client
		collection string
	}{
		{"query routers", nyc, lon, "routed"},
		{"replica set", w.direct(t, "three", "NYC", session, nil), w.direct(t, "three", "LON", session, nil), "direct"},
	} {
		t.Run(way.name, func(t *testing.T) {
			j := journey{t: t, write: way.nyc.Database(name).Collection(way.collection), read: way.lon.Database(name).Collection(way.collection)}
			j.keys(t)
			without, with := j.run(120, false), j.run(amount(240, 50_000), true)
			t.Logf("without token: %s", without)
			t.Logf("with token:    %s", with)
			if with.violations != 0 || with.reads < int64(amount(240, 50_000)) {
				t.Errorf("with token: got %s, want no violation", with)
			}
			if without.violations == 0 {
				t.Errorf("without token: got %s, want violations, or the check could not fail", without)
			}
			j.gaveUp(t)
		})
	}
}

// A journey writes by one client and reads by another.
type journey struct {
	t             *testing.T
	write, read   *mongo.Collection
	writer, taker *consistency.Keyring // two processes: they share the secret, not the value
}

type outcome struct {
	reads, violations int64
	slowest           time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf("%d reads, %d did not see the write, slowest %s", o.reads, o.violations, o.slowest.Round(time.Millisecond))
}

func (j *journey) keys(t *testing.T) {
	j.writer, j.taker = ring(t, key(t, "k", 1)), ring(t, key(t, "next", 2), key(t, "k", 1))
}

func (j *journey) run(reads int, token bool) outcome {
	j.t.Helper()
	var sum outcome
	var violations, done, slowest atomic.Int64
	rounds := (reads + travellers - 1) / travellers
	err := inParallel(travellers, func(user int) error {
		for n := 1; n <= rounds; n++ {
			text, err := j.travel(user, n)
			if err != nil {
				return err
			}
			if !token {
				text = ""
			}
			began := time.Now()
			got, err := j.arrive(user, text, time.Minute)
			if err != nil {
				return err
			}
			if took := int64(time.Since(began)); took > slowest.Load() {
				slowest.Store(took)
			}
			done.Add(1)
			if got < n {
				violations.Add(1)
			}
		}
		return nil
	})
	if err != nil {
		j.t.Fatal(err)
	}
	sum.reads, sum.violations, sum.slowest = done.Load(), violations.Load(), time.Duration(slowest.Load())
	if _, err := j.write.DeleteMany(j.t.Context(), bson.D{}); err != nil {
		j.t.Fatal(err)
	}
	return sum
}

// travel writes n for the user in New York and returns the token.
func (j *journey) travel(user, n int) (string, error) {
	session, err := j.write.Database().Client().StartSession()
	if err != nil {
		return "", err
	}
	defer session.EndSession(context.Background())
	ctx := mongo.NewSessionContext(j.t.Context(), session)
	_, err = j.write.UpdateOne(ctx, bson.D{{Key: "_id", Value: user}}, bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: n}}}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return "", fmt.Errorf("write %d of user %d: %w", n, user, err)
	}
	token, err := consistency.TokenOf(session, "NYC", time.Now())
	if err != nil {
		return "", err
	}
	return j.writer.Seal(token)
}

// arrive reads what the user has in London, with a token if there is one.
func (j *journey) arrive(user int, text string, bound time.Duration) (int, error) {
	session, err := j.read.Database().Client().StartSession()
	if err != nil {
		return 0, err
	}
	defer session.EndSession(context.Background())
	if text != "" {
		token, err := j.taker.Open(text, time.Now(), consistency.Limits{})
		if err != nil {
			return 0, err
		}
		if err := token.Advance(session); err != nil {
			return 0, err
		}
	}
	var got struct{ N int }
	err = consistency.Within(mongo.NewSessionContext(j.t.Context(), session), bound, func(ctx context.Context) error {
		return j.read.FindOne(ctx, bson.D{{Key: "_id", Value: user}}).Decode(&got)
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	return got.N, err
}

// gaveUp reads with a bound below the lag: the read ends in time, with the error that says why.
func (j *journey) gaveUp(t *testing.T) {
	text, err := j.travel(0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	const bound = heldBack / 3
	began := time.Now()
	_, err = j.arrive(0, text, bound)
	took := time.Since(began)
	t.Logf("bound %s: after %s: %v", bound, took.Round(time.Millisecond), err)
	var hinted interface{ Hint() string }
	if !errors.Is(err, consistency.ErrNotCaughtUp) || !errors.As(err, &hinted) || hinted.Hint() == "" {
		t.Errorf("got %v, want ErrNotCaughtUp with a hint", err)
	}
	if took > bound+5*time.Second {
		t.Errorf("gave up after %s, want about %s", took, bound)
	}
	if n, err := j.arrive(0, text, time.Minute); err != nil || n != 1_000_000 {
		t.Errorf("with a longer bound: got %d, %v", n, err)
	}
}
