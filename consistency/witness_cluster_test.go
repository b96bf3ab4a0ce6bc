package consistency_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
)

// Ticks are the writes of a document that holds the time of its writing.
type ticks struct {
	*mongo.Collection
	mu   sync.Mutex
	done []struct{ at, acknowledged time.Time } // guarded by mu
}

func (w *ticks) write(ctx context.Context) error {
	at := time.Now().Truncate(time.Millisecond) // as the document holds it
	_, err := w.UpdateOne(ctx, bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: at}}}}, options.UpdateOne().SetUpsert(true))
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done = append(w.done, struct{ at, acknowledged time.Time }{at, time.Now()})
	}
	return err
}

// behind is how long, at least, a reader at that time lacked a write when it read the one of at. The age of the document itself is more: on a busy machine
// nobody may have written for seconds.
func (w *ticks) behind(at, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, done := range w.done {
		if done.at.After(at) {
			return max(0, now.Sub(done.acknowledged))
		}
	}
	return 0
}

// keepTicking writes until the test ends.
func keepTicking(t *testing.T, w *ticks) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if err := w.write(ctx); err != nil {
		t.Fatal(err)
	}
	var ticking errgroup.Group
	ticking.Go(func() error {
		for testkit.Pause(ctx, 20*time.Millisecond) {
			if err := w.write(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		return nil
	})
	t.Cleanup(func() {
		cancel()
		if err := ticking.Wait(); err != nil {
			t.Errorf("write ticks: %v", err)
		}
	})
}

// tick reads the newest tick that the answering member has.
func tick(ctx context.Context, there *mongo.Collection) (at time.Time, err error) {
	var got struct {
		At time.Time `bson:"at"`
	}
	err = there.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Decode(&got)
	return got.At, err
}

// witnessed holds what a Witness says against what is known: the lag that was set, and the age of a document that is written all the time.
func witnessed(t *testing.T, w *world) {
	const lag = 3 * time.Second
	fast := lookup(t, "local-fast")
	written := &ticks{Collection: w.at(t, w.routed(t, "NYC", fast, nil), "five").Collection("ticks")}
	if _, err := written.Clone(options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: 5})).InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "at", Value: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetLag(t.Context(), "five/LON", lag); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.SetLag(context.Background(), "five/LON", 0); err != nil {
			t.Error(err)
		}
	}()
	keepTicking(t, written)
	t.Run("who answered, how old", func(t *testing.T) { ages(t, w, fast, written, lag) })
	t.Run("not older than", func(t *testing.T) { freshened(t, w, written, lag) })
}

// awaitLag waits until the member that answers lacks writes of half the lag: less than the lag by what a write takes to be acknowledged, which on a busy machine is much.
func awaitLag(t *testing.T, w *world, written *ticks, there *mongo.Collection, lag time.Duration) {
	t.Helper()
	testkit.EventuallyNil(t, testkit.Patience, "London's member is behind", func(ctx context.Context) error {
		at, err := tick(ctx, there)
		if err != nil {
			return err
		}
		if behind := written.behind(at, time.Now()); behind < lag/2 {
			status := w.members(t)
			return fmt.Errorf("it is %s behind; faults %v, members %+v", behind, status.Faults, status.Members)
		}
		return nil
	})
}

func ages(t *testing.T, w *world, p consistency.Profile, written *ticks, lag time.Duration) {
	witness := consistency.NewWitness()
	client := w.direct(t, "five", "LON", p, witness)
	there := client.Database(written.Database().Name()).Collection(written.Name())
	awaitLag(t, w, written, there, lag)
	reads, bounded, oldest, loosest := testkit.Count(t, "reads", 150, 5_000), 0, time.Duration(0), time.Duration(0)
	for i := range reads {
		ctx, watch := consistency.Observe(t.Context())
		at, err := tick(ctx, there)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		old := written.behind(at, now)
		seen, ok := watch.Last()
		if !ok || seen.Command != "find" || !seen.Member || seen.Primary || seen.Datacenter != "LON" {
			t.Fatalf("read %d: got %+v, want a find of the secondary in LON", i, seen)
		}
		about, ok := seen.BehindAbout(now, 0)
		if !ok {
			t.Fatalf("read %d: nothing is known of its age: %+v", i, seen)
		}
		// It may be off by what the member copied while it answered.
		if about+500*time.Millisecond < old {
			t.Errorf("read %d: said at most %s behind, and a write of %s ago is missing", i, about, old)
		}
		if bound, ok := seen.Behind(now, 0); ok {
			bounded++
			loosest = max(loosest, bound-old)
			if bound < old {
				t.Errorf("read %d: proven at most %s behind, and a write of %s ago is missing", i, bound, old)
			}
		}
		oldest = max(oldest, old)
	}
	t.Logf("%d reads, %d with a proven bound; missing for %s at most; the bound was at most %s above", reads, bounded, oldest.Round(time.Millisecond), loosest.Round(time.Millisecond))
	if bounded < reads-1 || oldest < lag/2 {
		t.Errorf("got %d proven bounds and a document of %s; want all but the first, and a lag that shows", bounded, oldest)
	}
	behindPrimary(t, client, there)
}

// behindPrimary compares with the primary itself.
func behindPrimary(t *testing.T, client *mongo.Client, there *mongo.Collection) {
	ctx, watch := consistency.Observe(t.Context())
	if _, err := tick(ctx, there); err != nil {
		t.Fatal(err)
	}
	seen, _ := watch.Last()
	newest, err := consistency.PrimaryTime(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the member was at %d.%d, the primary then at %d.%d", seen.OperationTime.T, seen.OperationTime.I, newest.T, newest.I)
	if !newest.After(seen.OperationTime) {
		t.Error("a member that lags is not behind the primary")
	}
}

// freshened reads through a query router with a bound below the lag: the read waits, and what it returns is new enough.
func freshened(t *testing.T, w *world, written *ticks, lag time.Duration) {
	witness := consistency.NewWitness()
	client := w.routed(t, "LON", lookup(t, "bounded"), witness)
	there := client.Database(written.Database().Name()).Collection(written.Name())
	const bound = 2 * time.Second // times are whole seconds, so a bound cannot be much less
	rounds, older, oldest := testkit.Count(t, "reads with a bound", 4, 40), 0, time.Duration(0)
	for i := range rounds {
		if i == 0 {
			// On a busy machine the router may take the member in London for gone for a while, and ask another one: then the bound has nothing to do.
			testkit.EventuallyNil(t, testkit.Patience, "an answer without a bound is older than it", func(ctx context.Context) error {
				at, err := tick(ctx, there)
				if behind := written.behind(at, time.Now()); err == nil && behind <= bound {
					return fmt.Errorf("it is %s behind", behind)
				}
				return err
			})
		}
		if at, err := tick(t.Context(), there); err != nil {
			t.Fatal(err)
		} else if written.behind(at, time.Now()) > bound {
			older++
		}
		session, err := client.StartSession(lookup(t, "bounded").SessionOptions())
		if err != nil {
			t.Fatal(err)
		}
		// Through members that lag a process hears of new times late; so it asks the primary now and then.
		if err := there.Clone(options.Collection().SetReadPreference(readpref.Primary())).FindOne(t.Context(), bson.D{}).Err(); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		guaranteed, ok, err := witness.Freshen(session, bound, now)
		if err != nil || !ok || guaranteed > bound {
			t.Fatalf("freshen: got %s, %v, %v", guaranteed, ok, err)
		}
		ctx, watch := consistency.Observe(mongo.NewSessionContext(t.Context(), session))
		// One read: its answer moves the session on, so a second would wait for more.
		at, err := tick(ctx, there)
		if err != nil {
			t.Fatal(err)
		}
		old := written.behind(at, now)
		oldest = max(oldest, old)
		seen, _ := watch.Last()
		said, known := seen.Behind(now, 0)
		if old > bound || !known || said > bound || seen.Member {
			t.Errorf("read %d: a write of %s ago is missing, said %s (%v), want at most %s, through a router", i, old, said, known, bound)
		}
		session.EndSession(t.Context())
	}
	t.Logf("lag %s, bound %s: oldest %s; without the bound %d of %d were older", lag, bound, oldest.Round(time.Millisecond), older, rounds)
}
