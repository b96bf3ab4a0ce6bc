package wan

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// startMongod runs a replica-set member and returns its real address and process id.
func startMongod(t *testing.T, mongod string) (string, int) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	_ = l.Close()
	dir := t.TempDir()
	cmd := exec.Command(mongod, "--replSet", "pair", "--dbpath", dir, "--port", fmt.Sprint(addr.Port), "--bind_ip", "127.0.0.1",
		"--logpath", filepath.Join(dir, "log"), "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64",
		"--networkMessageCompressors", "disabled", "--setParameter", "diagnosticDataCollectionEnabled=false", "--nounixsocket")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return addr.String(), cmd.Process.Pid
}

func client(t *testing.T, uri string, d *Dialer) *mongo.Client {
	t.Helper()
	o := options.Client().ApplyURI(uri)
	if d != nil {
		o.SetDialer(d)
	}
	c, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = c.Disconnect(ctx)
	})
	return c
}

// On a real replica set, a lag holds back what the secondary replicates, while it answers at once, keeps its heartbeats and its state; it ends
// when it is removed. A cut between the two leaves the secondary stale, and it catches up after healing.
func TestLagHoldsBackReplicationOnly(t *testing.T) {
	testkit.Measures(t)
	tools, err := mongobin.Ensure(t.Context(), mongobin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, threeCities())
	members := bson.A{}
	var uris []string
	for i, dc := range []topology.DatacenterID{"NYC", "LON"} {
		name := "pair/" + string(dc)
		addr, pid := startMongod(t, tools.Mongod)
		front := frontOf(t, n, name, dc, addr)
		if err := n.Register(pid, dc, name); err != nil {
			t.Fatal(err)
		}
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: front}, {Key: "priority", Value: 1 - i}, {Key: "votes", Value: 1 - i}})
		uris = append(uris, "mongodb://"+addr+"/?directConnection=true")
	}
	n.SetDelays(false)
	primary, secondary := client(t, uris[0], nil), client(t, uris[1], nil)
	ctx := t.Context()
	run := func(c *mongo.Client, cmd bson.D) (bson.M, error) {
		var answer bson.M
		err := c.Database("admin").RunCommand(ctx, cmd).Decode(&answer)
		return answer, err
	}
	for _, c := range []*mongo.Client{primary, secondary} {
		testkit.Eventually(t, testkit.Patience, "the member answers", func() bool {
			_, err := run(c, bson.D{{Key: "ping", Value: 1}})
			return err == nil
		})
	}
	if _, err := run(primary, bson.D{{Key: "replSetInitiate", Value: bson.D{{Key: "_id", Value: "pair"}, {Key: "members", Value: members},
		{Key: "settings", Value: bson.D{{Key: "heartbeatIntervalMillis", Value: 500}}}}}}); err != nil {
		t.Fatal(err)
	}
	hello := func(c *mongo.Client, field string) bool {
		answer, err := run(c, bson.D{{Key: "hello", Value: 1}})
		return err == nil && answer[field] == true
	}
	testkit.Eventually(t, testkit.Patience, "the primary is elected", func() bool { return hello(primary, "isWritablePrimary") })
	testkit.Eventually(t, testkit.Patience, "the other is secondary", func() bool { return hello(secondary, "secondary") })
	n.SetDelays(true)

	docs := 0
	// replicate returns how long a write takes to be seen on the secondary, and the slowest hello there meanwhile.
	replicate := func() (lag, slowest time.Duration) {
		docs++
		filter := bson.D{{Key: "_id", Value: docs}}
		if _, err := primary.Database("test").Collection("c").InsertOne(ctx, filter); err != nil {
			t.Fatal(err)
		}
		written := time.Now()
		testkit.Eventually(t, testkit.Patience, "the write arrives", func() bool {
			start := time.Now()
			if !hello(secondary, "secondary") {
				t.Fatal("the secondary changed its state")
			}
			slowest = max(slowest, time.Since(start))
			return secondary.Database("test").Collection("c").FindOne(ctx, filter).Err() == nil
		})
		return time.Since(written), slowest
	}
	replicate()
	plain, _ := replicate()

	const by = 3 * time.Second
	apply(t, n, "lag pair/LON "+by.String())
	replicate() // what was under way when the lag began
	lagged, slowest := replicate()
	status, err := run(primary, bson.D{{Key: "replSetGetStatus", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	other := status["members"].(bson.A)[1].(bson.D)
	var heard time.Duration
	for _, e := range other {
		if e.Key == "lastHeartbeat" {
			heard = time.Since(e.Value.(bson.DateTime).Time())
		}
		if e.Key == "stateStr" && e.Value != "SECONDARY" {
			t.Errorf("the primary sees the other as %v", e.Value)
		}
	}
	n.Heal()
	replicate()
	after, _ := replicate()
	t.Logf("replication takes %v, with a lag of %v %v (slowest hello %v, last heartbeat %v ago), afterwards %v", plain, by, lagged, slowest, heard, after)
	// What the machine does to a write shows before and after the lag.
	if most := by + 2*time.Second + max(plain, after); lagged < by || lagged > most {
		t.Errorf("with a lag of %v a write took %v, want at most %v", by, lagged, most)
	}
	if slowest >= by || heard >= by {
		t.Errorf("the lag touched other traffic: slowest hello %v, last heartbeat %v ago", slowest, heard)
	}
	if plain >= by || after >= by {
		t.Errorf("without a lag a write took %v before and %v after", plain, after)
	}

	apply(t, n, "cut NYC LON")
	docs++
	if _, err := primary.Database("test").Collection("c").InsertOne(ctx, bson.D{{Key: "_id", Value: docs}}); err != nil {
		t.Fatal(err)
	}
	testkit.Pause(ctx, 500*time.Millisecond) // time enough, were the link not cut
	if err := secondary.Database("test").Collection("c").FindOne(ctx, bson.D{{Key: "_id", Value: docs}}).Err(); err != mongo.ErrNoDocuments {
		t.Errorf("over a cut link: got %v, want no document", err)
	}
	n.Heal()
	caught, _ := replicate()
	t.Logf("after a cut: caught up in %v", caught)

	through := client(t, "mongodb://"+members[1].(bson.D)[1].Value.(string)+"/?directConnection=true", n.Dialer("SYD"))
	if _, err := run(through, bson.D{{Key: "ping", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := run(through, bson.D{{Key: "ping", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 265*time.Millisecond {
		t.Errorf("a driver's ping from SYD took %v, want 265ms", took)
	}
}
