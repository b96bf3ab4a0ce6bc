package catalog_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
)

func locks(db *mongo.Database) *mongo.Collection { return db.Collection("locks") }

// geoshard is the database of the lease that users have.
func geoshard(c *catalog.Catalog) *mongo.Database { return c.Client().Database(zones.JournalDatabase) }

// ownLease is a database for the lease of one test, so that several wait at once.
func ownLease(t *testing.T, c *catalog.Catalog, name string) *mongo.Database {
	t.Helper()
	db := c.Client().Database(name)
	t.Cleanup(func() {
		if err := db.Drop(context.Background()); err != nil {
			t.Errorf("drop: %v", err)
		}
	})
	return db
}

// lock takes the lease and gives it back at the end of the test.
func lock(t *testing.T, db *mongo.Database, o catalog.LockOptions) (context.Context, apply.Lease) {
	t.Helper()
	leased, lease, err := catalog.LockerIn(db, o).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lease.Release(context.Background()); err != nil && !errors.Is(err, apply.ErrLeaseLost) {
			t.Errorf("release: %v", err)
		}
	})
	return leased, lease
}

func TestOneHolderHasTheLease(t *testing.T) {
	c := open(t)
	leased, lease := lock(t, geoshard(c), catalog.LockOptions{Owner: "$ann"}) // no field path, whatever it looks like
	_, _, err := c.ApplyDeps(catalog.LockOptions{}).Locker.Lock(t.Context())
	var locked *apply.LockedError
	if !errors.Is(err, apply.ErrLocked) || !errors.As(err, &locked) {
		t.Fatalf("second: got %v, want ErrLocked", err)
	}
	host, _ := os.Hostname()
	if h := locked.Holder; h.Owner != "$ann" || h.Host != host || h.PID != os.Getpid() || h.Token != lease.Holder().Token {
		t.Errorf("got holder %+v, want this process", h)
	}
	if left := locked.Holder.Expires.Sub(locked.Now); left <= 0 || left > catalog.DefaultExpiry {
		t.Errorf("the lease expires in %s, want at most %s", left, catalog.DefaultExpiry)
	}
	if err := lease.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Errorf("release: %v", err)
	}
	if leased.Err() == nil {
		t.Error("work may go on after the release")
	}
	if n, err := locks(geoshard(c)).CountDocuments(t.Context(), bson.D{}); err != nil || n != 0 {
		t.Errorf("got %d locks, %v, want none", n, err)
	}
}

// Many processes want the lease at once, when there is none and when one has expired: one gets it.
func TestTheLeaseIsTakenOnce(t *testing.T) {
	c := open(t)
	for _, what := range []string{"free", "expired"} {
		if what == "expired" {
			old := bson.D{{Key: "_id", Value: "apply"}, {Key: "token", Value: "old"}, {Key: "expires", Value: time.Now().Add(-time.Second)}}
			if _, err := locks(geoshard(c)).InsertOne(t.Context(), old); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		var taken []apply.Lease // guarded by mu
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				_, lease, err := c.ApplyDeps(catalog.LockOptions{}).Locker.Lock(t.Context())
				if err != nil && !errors.Is(err, apply.ErrLocked) {
					t.Errorf("%s: %v", what, err)
				}
				if err == nil {
					mu.Lock()
					taken = append(taken, lease)
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if len(taken) != 1 {
			t.Errorf("%s: %d of 8 got the lease, want 1", what, len(taken))
		}
		for _, lease := range taken {
			if err := lease.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// A living holder renews the lease for longer than its expiry; a dead one's is taken over after it, and not before.
func TestTheLeaseOfADeadHolderExpires(t *testing.T) {
	t.Parallel()
	c := open(t)
	db := ownLease(t, c, "deadholder")
	const expiry = 6 * time.Second // so long that a busy machine does not miss three renewals
	_, lease := lock(t, db, catalog.LockOptions{Expiry: expiry})
	began := time.Now()
	testkit.Eventually(t, time.Minute, "the lease outlives its expiry", func() bool {
		if _, _, err := catalog.LockerIn(db, catalog.LockOptions{}).Lock(t.Context()); !errors.Is(err, apply.ErrLocked) {
			t.Fatalf("after %s: got %v, want ErrLocked", time.Since(began), err)
		}
		return time.Since(began) > 2*expiry
	})
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}

	// What a killed process leaves: nobody renews it.
	expires := time.Now().Add(expiry).Truncate(time.Millisecond)
	dead := bson.D{{Key: "_id", Value: "apply"}, {Key: "token", Value: "dead"}, {Key: "owner", Value: "bob"}, {Key: "host", Value: "gone"}, {Key: "pid", Value: 7},
		{Key: "since", Value: time.Now()}, {Key: "expires", Value: expires}}
	if _, err := locks(db).InsertOne(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	var since time.Time // the server's time, whose clock is this machine's
	testkit.Eventually(t, time.Minute, "the dead holder's lease is taken", func() bool {
		_, taken, err := catalog.LockerIn(db, catalog.LockOptions{}).Lock(t.Context())
		if errors.Is(err, apply.ErrLocked) {
			if !strings.Contains(err.Error(), "bob on gone, process 7") {
				t.Errorf("got %v, want the holder", err)
			}
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		since = taken.Holder().Since
		if err := taken.Release(t.Context()); err != nil {
			t.Error(err)
		}
		return true
	})
	if since.Before(expires) {
		t.Errorf("taken at %s, before it expired at %s", since, expires)
	}
}

// A holder whose lease was taken stops: at the next check, and by itself at the next renewal.
func TestALostLeaseEndsTheWork(t *testing.T) {
	t.Parallel()
	c := open(t)
	db := ownLease(t, c, "lostlease")
	leased, lease := lock(t, db, catalog.LockOptions{Expiry: 2 * time.Second})
	theirs := bson.D{{Key: "$set", Value: bson.D{{Key: "token", Value: "theirs"}}}}
	if _, err := locks(db).UpdateOne(t.Context(), bson.D{}, theirs); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, time.Minute, "the work ends with the lease", func() bool { return leased.Err() != nil })
	if cause := context.Cause(leased); !errors.Is(cause, apply.ErrLeaseLost) {
		t.Errorf("got cause %v, want ErrLeaseLost", cause)
	}
	if err := lease.Check(t.Context()); !errors.Is(err, apply.ErrLeaseLost) {
		t.Errorf("check: got %v, want ErrLeaseLost", err)
	}
	if err := lease.Release(t.Context()); !errors.Is(err, apply.ErrLeaseLost) {
		t.Errorf("release: got %v, want ErrLeaseLost", err)
	}
	if n, err := locks(db).CountDocuments(t.Context(), bson.D{{Key: "token", Value: "theirs"}}); err != nil || n != 1 {
		t.Errorf("their lease: got %d, %v, want it left alone", n, err)
	}
	if _, err := locks(db).DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
}

// A holder that cannot renew, because it is cut off, stops before anybody else may begin.
func TestAHolderThatIsCutOffStopsInTime(t *testing.T) {
	t.Parallel()
	c := open(t)
	db := ownLease(t, c, "cutoff")
	const expiry = 6 * time.Second
	cutOff := open(t)
	leased, lease, err := catalog.LockerIn(cutOff.Client().Database(db.Name()), catalog.LockOptions{Expiry: expiry}).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := cutOff.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-leased.Done()
	// Not a try to take the lease: on a busy machine that arrives later than the moment that counts.
	if ended, expires := time.Now(), lease.Holder().Expires; !ended.Before(expires) {
		t.Errorf("the work ended at %s, and from %s on the lease was free", ended, expires)
	}
	if !errors.Is(context.Cause(leased), apply.ErrLeaseLost) {
		t.Errorf("got cause %v, want ErrLeaseLost", context.Cause(leased))
	}
	if _, err := locks(db).DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
}
