//go:build unix

package devmongos

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// TestFailover kills and pauses primaries under load: drivers see no error, nothing is lost, nothing is done twice.
func TestFailover(t *testing.T) {
	c := startSmall(t, 3)
	t.Run("primary killed", func(t *testing.T) {
		coll := survives(t, c, "killed", "s0", -1, syscall.SIGKILL)
		noOrphansOnSecondaries(t, c, coll)
	})
	// A paused process keeps its connections open and answers nothing. Another shard: s0 has lost a member.
	t.Run("primary paused", func(t *testing.T) { survives(t, c, "paused", "s2", 101, syscall.SIGSTOP) })
}

func (c *smallCluster) signal(t *testing.T, address string, s syscall.Signal) {
	t.Helper()
	for _, set := range c.shards {
		if p := set.byAddr[address]; p != nil {
			if err := p.Process.Signal(s); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("no process listens on %s", address)
}

// survives sends a signal to the primary of the shard that owns k while clients are at work, and checks what they saw.
func survives(t *testing.T, c *smallCluster, db, shard string, k int, fault syscall.Signal) *mongo.Collection {
	t.Helper()
	c.shard(t, db, "c")
	client := c.client(t, func(o *options.ClientOptions) { o.SetWriteConcern(writeconcern.Majority()) })
	coll := client.Database(db).Collection("c")
	fill(t, coll, -1, 1, 101)
	before := c.primaryOf(t, shard)
	stop := make(chan struct{})
	var (
		wg                   sync.WaitGroup
		mu                   sync.Mutex
		increments, inserted int
		slowest              time.Duration
	)
	load := func(name string, once func(n int) error) {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				err := once(n)
				mu.Lock()
				slowest = max(slowest, time.Since(began))
				mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	load("increment", func(int) error {
		_, err := coll.UpdateOne(t.Context(), d("k", k), d("$inc", d("n", 1)))
		increments++
		return err
	})
	load("insert", func(n int) error {
		_, err := coll.InsertMany(t.Context(), []any{d("k", -1000-n, "i", n), d("k", 1000+n, "i", n), d("k", -1000-n, "i", n)})
		inserted += 3
		return err
	})
	load("point read", func(int) error { return coll.FindOne(t.Context(), d("k", k)).Err() })
	load("read over shards", func(int) error {
		cur, err := coll.Find(t.Context(), d("k", d("$in", bson.A{-1, 1, 101})), options.Find().SetSort(d("k", 1)))
		if err != nil {
			return err
		}
		var docs []bson.M
		if err := cur.All(t.Context(), &docs); err != nil || len(docs) != 3 {
			return errors.Join(errors.New("not three documents"), err)
		}
		return nil
	})
	pause := time.NewTimer(time.Second)
	<-pause.C
	c.signal(t, before, fault)
	after := before
	for deadline := time.Now().Add(40 * time.Second); after == before && time.Now().Before(deadline); {
		if err := coll.FindOne(t.Context(), d("k", k)).Err(); err != nil {
			t.Errorf("read after the fault: %v", err)
		}
		after = c.primaryElsewhere(t, shard, before)
	}
	pause.Reset(time.Second)
	<-pause.C
	close(stop)
	wg.Wait()
	var doc struct{ N int }
	if err := coll.FindOne(t.Context(), d("k", k)).Decode(&doc); err != nil || doc.N != increments {
		t.Errorf("counter %d, %v; %d increments were acknowledged", doc.N, err, increments)
	}
	n, err := coll.CountDocuments(t.Context(), d("i", d("$exists", true)))
	if err != nil || int(n) != inserted {
		t.Errorf("%d documents, %v; %d were acknowledged", n, err, inserted)
	}
	t.Logf("%d increments, %d documents, slowest command %v, primary %s then %s", increments, inserted, slowest.Round(time.Millisecond), before, after)
	return coll
}

// primaryElsewhere asks the members other than one.
func (c *smallCluster) primaryElsewhere(t *testing.T, shard, not string) string {
	for _, address := range c.shards[shard].members {
		if address == not {
			continue
		}
		client, err := directTo(address)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		var hello struct {
			Primary bool `bson:"isWritablePrimary"`
		}
		err = client.Database("admin").RunCommand(ctx, d("hello", 1)).Decode(&hello)
		cancel()
		_ = client.Disconnect(context.Background())
		if err == nil && hello.Primary {
			return address
		}
	}
	return not
}

// noOrphansOnSecondaries checks that reads on secondaries do not return the orphans that a migration leaves behind.
func noOrphansOnSecondaries(t *testing.T, c *smallCluster, coll *mongo.Collection) {
	t.Helper()
	secondary := coll.Database().Collection(coll.Name(), options.Collection().SetReadPreference(readpref.Secondary()))
	majority := coll.Database().Collection(coll.Name(), options.Collection().SetReadPreference(readpref.Secondary()).SetReadConcern(readconcern.Majority()))
	// s1's and s2's members are all alive.
	c.move(t, coll.Database().Name()+"."+coll.Name(), 0, "s2")
	for name, read := range map[string]*mongo.Collection{"no read concern": secondary, "majority": majority} {
		cur, err := read.Find(t.Context(), d("k", d("$gte", 0, "$lt", 100)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var docs []bson.M
		if err := cur.All(t.Context(), &docs); err != nil || len(docs) > 1 {
			t.Errorf("%s: got %v, %v; want one document at most (none while the secondary is behind)", name, docs, err)
		}
	}
}
