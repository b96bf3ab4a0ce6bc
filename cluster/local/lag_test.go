package local_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
)

// lags holds a member behind by several amounts while its shard is written to, and looks at it in two ways: by the
// servers' own times of the last operation, and by reading how old the newest document is that the member has.
func lags(t *testing.T, c *local.Cluster) {
	const member, primary = "nyc/SYD", "nyc/NYC"
	amounts := []time.Duration{time.Second, 5 * time.Second}
	if testkit.Soak() {
		amounts = append(amounts, 30*time.Second)
	}
	stop := tick(t, memberCollection(t, c, primary))
	defer stop()
	copied := memberCollection(t, c, member)
	for _, lag := range amounts {
		began := time.Now()
		if err := c.SetLag(t.Context(), member, lag); err != nil {
			t.Fatal(err)
		}
		inForce := time.Since(began)
		testkit.Eventually(t, testkit.Patience, "the lag has built up", func() bool { return age(t, copied) > lag*9/10 })
		builtUp := time.Since(began)
		leastRead, mostRead := time.Hour, time.Duration(0)
		leastStatus, mostStatus := time.Hour, time.Duration(0)
		looks := 0
		for until := time.Now().Add(max(5*time.Second, lag)); time.Now().Before(until); looks++ {
			read, said := age(t, copied), statusLag(t, c, member)
			leastRead, mostRead = min(leastRead, read), max(mostRead, read)
			leastStatus, mostStatus = min(leastStatus, said), max(mostStatus, said)
			testkit.Pause(t.Context(), 100*time.Millisecond)
		}
		t.Logf("lag %s: SetLag took %s, built up after %s; %d looks: read %s to %s behind, replSetGetStatus %s to %s", lag,
			inForce.Round(time.Millisecond), builtUp.Round(time.Millisecond), looks, short(leastRead), short(mostRead), short(leastStatus), short(mostStatus))
		if least := lag * 8 / 10; leastRead < least {
			t.Errorf("lag %s: read %s behind, want at least %s", lag, leastRead, least)
		}
		// A status asks the two members at moments that may differ by some 100 ms on a busy machine.
		if least := lag*8/10 - 300*time.Millisecond; leastStatus < least {
			t.Errorf("lag %s: replSetGetStatus says %s, want at least %s", lag, leastStatus, least)
		}
		if most := lag*3/2 + 2*time.Second; mostRead > most {
			t.Errorf("lag %s: got %s, want at most %s", lag, mostRead, most)
		}
		if s := replicaPrimary(t, c); s != primary {
			t.Errorf("lag %s: the primary is now %s, want %s", lag, s, primary)
		}
	}
	if err := c.SetLag(t.Context(), member, 0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	testkit.Eventually(t, testkit.Patience, "the lag is gone", func() bool { return age(t, copied) < time.Second })
	t.Logf("lag ended: caught up after %s", short(time.Since(began)))
}

func memberCollection(t *testing.T, c *local.Cluster, member string) *mongo.Collection {
	t.Helper()
	uri, err := c.MemberURI(member)
	if err != nil {
		t.Fatal(err)
	}
	// From the supervisor, without a datacenter's dialer: what is measured is the member's lag, not the way to it.
	return connect(t, options.Client().ApplyURI(uri)).Database("lag").Collection("ticks")
}

// tick writes the time into one document every 50 ms.
func tick(t *testing.T, ticks *mongo.Collection) (stop func()) {
	t.Helper()
	write := func(ctx context.Context) error {
		_, err := ticks.UpdateOne(ctx, bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: time.Now()}}}},
			options.UpdateOne().SetUpsert(true))
		return err
	}
	if err := write(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			if err := write(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("write a tick: %v", err)
				return
			}
			testkit.Pause(ctx, 50*time.Millisecond)
		}
	})
	return func() { cancel(); writing.Wait() }
}

// age is how old the newest tick is that a member has.
func age(t *testing.T, ticks *mongo.Collection) time.Duration {
	t.Helper()
	var got struct {
		At time.Time `bson:"at"`
	}
	err := ticks.FindOne(t.Context(), bson.D{{Key: "_id", Value: 1}}).Decode(&got)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return time.Since(got.At)
}

func statusLag(t *testing.T, c *local.Cluster, member string) time.Duration {
	t.Helper()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, _ := status.Member(member)
	if m.Lag == nil {
		t.Fatalf("%s: got no lag in state %s: %s", member, m.State, m.Detail)
	}
	return time.Duration(*m.Lag)
}

func replicaPrimary(t *testing.T, c cluster.View) string {
	t.Helper()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, _ := status.Primary("nyc")
	return p.Name
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
