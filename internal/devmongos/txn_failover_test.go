//go:build unix

package devmongos

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// TestTransactionsSurvive moves money between shards while primaries and the router are killed: every acknowledged transfer is there
// once, none by halves, and whoever reads a snapshot always finds the same sum.
func TestTransactionsSurvive(t *testing.T) {
	c := startSmall(t, 3)
	c.shard(t, "bank", "c")
	coll := c.client(t).Database("bank").Collection("c")
	fill(t, coll, -1, 1, 101)
	if _, err := coll.UpdateMany(t.Context(), bson.D{}, d("$set", d("money", 1000))); err != nil {
		t.Fatal(err)
	}
	t.Run("own writes on secondaries", func(t *testing.T) { readsOwnWritesOnSecondaries(t, c) })
	t.Run("primary killed", func(t *testing.T) {
		before := c.primaryOf(t, "s0")
		c.bank(t, coll, func() {
			c.signal(t, before, syscall.SIGKILL)
			for deadline := time.Now().Add(30 * time.Second); c.primaryElsewhere(t, "s0", before) == before && time.Now().Before(deadline); {
				pauseFor(t, 100*time.Millisecond)
			}
			pauseFor(t, 2*time.Second)
		})
	})
	t.Run("router killed", func(t *testing.T) {
		address, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		router := c.routerProcess(t, address)
		client := c.client(t, func(o *options.ClientOptions) { o.ApplyURI("mongodb://" + address + "/") })
		c.bank(t, client.Database("bank").Collection("c"), func() {
			for range 3 {
				if err := router.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = router.Wait()
				router = c.routerProcess(t, address)
				pauseFor(t, time.Second)
			}
		})
	})
}

func pauseFor(t *testing.T, d time.Duration) {
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}

// routerProcess runs a router as a process of its own, which can be killed, and waits until it serves.
func (c *smallCluster) routerProcess(t *testing.T, address string) *exec.Cmd {
	t.Helper()
	config, err := json.Marshal(Config{Listen: address, ConfigServers: c.config, Core: c.core})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "GEOSHARD_CHILD=router", "GEOSHARD_CHILD_CONFIG="+string(config)) // see local.ChildMain
	EndWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		nc, err := net.Dial("tcp", address)
		if err == nil {
			_ = nc.Close()
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatalf("router does not serve: %v", err)
		}
		pauseFor(t, 20*time.Millisecond)
	}
}

// bank has clients move money between three shards, each time with an entry in the books, while the fault happens.
func (c *smallCluster) bank(t *testing.T, coll *mongo.Collection, fault func()) {
	t.Helper()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var mu sync.Mutex
	var acknowledged bson.A
	audits := 0
	var torn []int // sums of snapshots that found half a transfer
	until := func(once func(i int)) {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					once(i)
				}
			}
		})
	}
	run := time.Now().UnixNano()
	for worker := range 3 {
		session, err := coll.Database().Client().StartSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.EndSession(context.Background())
		until(func(i int) {
			id := fmt.Sprintf("%d-%d-%d", run, worker, i)
			_, err := session.WithTransaction(t.Context(), func(ctx context.Context) (any, error) { return nil, transfer(ctx, coll, worker+i, id) })
			if err != nil {
				t.Errorf("transfer %s: %v", id, err)
				return
			}
			mu.Lock()
			acknowledged = append(acknowledged, id)
			mu.Unlock()
		})
	}
	until(func(int) {
		if sum, err := audit(t.Context(), coll); err == nil {
			mu.Lock()
			audits++
			mu.Unlock()
			if sum != 3000 {
				torn = append(torn, sum)
			}
		}
		pauseFor(t, 10*time.Millisecond)
	})
	pauseFor(t, time.Second)
	fault()
	close(stop)
	clients.Wait()
	entries, err := coll.CountDocuments(t.Context(), d("transfer", d("$in", acknowledged)))
	if err != nil || int(entries) != len(acknowledged) || len(acknowledged) == 0 {
		t.Errorf("%d entries for %d acknowledged transfers, %v", entries, len(acknowledged), err)
	}
	if sum, err := audit(t.Context(), coll); err != nil || sum != 3000 {
		t.Errorf("in the end %d, %v", sum, err)
	}
	t.Logf("%d transfers over shards acknowledged, %d snapshots audited, %d of them torn %v", len(acknowledged), audits, len(torn), torn)
	if len(torn) > 0 {
		t.Errorf("snapshots with sums of %v", torn)
	}
}

func transfer(ctx context.Context, coll *mongo.Collection, n int, id string) error {
	ks := []int{-1, 1, 101}
	if _, err := coll.UpdateOne(ctx, d("k", ks[n%3]), d("$inc", d("money", -1))); err != nil {
		return err
	}
	if _, err := coll.UpdateOne(ctx, d("k", ks[(n+1)%3]), d("$inc", d("money", 1))); err != nil {
		return err
	}
	_, err := coll.InsertOne(ctx, d("k", n%7*40-100, "transfer", id))
	return err
}

// audit sums up the money in one snapshot.
func audit(ctx context.Context, coll *mongo.Collection) (int, error) {
	session, err := coll.Database().Client().StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return 0, err
	}
	defer session.EndSession(ctx)
	cur, err := coll.Aggregate(mongo.NewSessionContext(ctx, session), bson.A{d("$group", d("_id", nil, "sum", d("$sum", "$money")))})
	if err != nil {
		return 0, err
	}
	defer cur.Close(ctx)
	var found struct{ Sum int }
	if !cur.Next(ctx) {
		return 0, cur.Err()
	}
	err = cur.Decode(&found)
	return found.Sum, err
}
