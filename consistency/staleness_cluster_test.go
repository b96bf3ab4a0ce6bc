package consistency_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// tooStale reads in Sydney with the profile bounded, whose maxStaleness is 90 s, while Sydney's own member is further behind than that: the driver has
// to choose another one (S2.44). With GEOSHARD_SOAK=1 the member really is; that takes minutes, so otherwise what it says about itself in its hello is made
// older on the way, and everything else is as it is.
func tooStale(t *testing.T, w *world) {
	const behind = 2 * time.Minute
	soak := testkit.Soak()
	with, without := lookup(t, "bounded"), lookup(t, "bounded")
	with.Heartbeat = 500 * time.Millisecond // the driver's least: its estimate is at most that much above the truth
	without.Heartbeat, without.Read.MaxStaleness = with.Heartbeat, 0
	writes := w.at(t, w.routed(t, "NYC", lookup(t, "local-fast"), nil), "three").Collection("stale")
	if _, err := writes.Clone(options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: 3})).InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "at", Value: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	keepTicking(t, &ticks{Collection: writes})
	reader := func(p consistency.Profile, behind time.Duration) func() (topology.DatacenterID, time.Duration) {
		return w.chosen(t, p, writes, behind)
	}
	fresh := reader(with, 0)
	// While a client has not heard of Sydney's member, the others answer.
	testkit.Eventually(t, testkit.Patience, "a member that is not behind answers in its own datacenter", func() bool { dc, _ := fresh(); return dc == "SYD" })
	bounded, unbounded := reader(with, behind), reader(without, behind)
	// A client that has not heard of the others yet has nothing to compare with.
	testkit.Eventually(t, testkit.Patience, "the driver knows the other members", func() bool { dc, _ := bounded(); return soak || dc != "SYD" })
	if soak {
		bounded, unbounded = fresh, reader(without, 0)
		w.growStale(t, fresh, behind)
	}
	elsewhere, there := map[topology.DatacenterID]int{}, map[topology.DatacenterID]int{}
	for range testkit.Count(t, "reads of each kind", 50, 500) {
		dc, old := bounded()
		elsewhere[dc]++
		if old > with.Read.MaxStaleness {
			t.Errorf("%s answered with something %s old", dc, old)
		}
		dc, _ = unbounded()
		there[dc]++
	}
	t.Logf("member in Sydney %s behind (in truth: %v): with maxStaleness %v answered, without %v", behind, soak, elsewhere, there)
	if elsewhere["SYD"] > 0 {
		t.Errorf("with maxStaleness: got %d answers of the member that is behind, want none", elsewhere["SYD"])
	}
	if there["SYD"] == 0 {
		t.Error("without maxStaleness: the member that is behind was not chosen either: the test shows nothing")
	}
}

// growStale lets the member fall behind and tells when the driver stops choosing it: its estimate against the truth.
func (w *world) growStale(t *testing.T, read func() (topology.DatacenterID, time.Duration), behind time.Duration) {
	t.Helper()
	lagging := make(chan error, 1)
	go func() { lagging <- w.SetLag(t.Context(), "three/SYD", behind) }()
	t.Cleanup(func() {
		if err := w.SetLag(context.Background(), "three/SYD", 0); err != nil {
			t.Error(err)
		}
	})
	oldest := time.Duration(0)
	testkit.Eventually(t, behind+testkit.Patience, "the driver chooses another member", func() bool {
		dc, old := read()
		if dc == "SYD" {
			oldest = max(oldest, old)
		}
		return dc != "SYD"
	})
	t.Logf("the driver chose the member until it was %s behind", oldest.Round(100*time.Millisecond))
	if err := <-lagging; err != nil {
		t.Fatal(err)
	}
	if oldest < 60*time.Second || oldest > 100*time.Second {
		t.Errorf("chosen until %s behind, want about 90s", oldest)
	}
}

// chosen returns a read in Sydney that tells who answered and how old the answer was. What Sydney's member says of its last write is made older.
func (w *world) chosen(t *testing.T, p consistency.Profile, ticks *mongo.Collection, older time.Duration) func() (topology.DatacenterID, time.Duration) {
	t.Helper()
	dialer, err := w.Dialer("SYD")
	if err != nil {
		t.Fatal(err)
	}
	status := w.members(t)
	member, _ := status.Member("three/SYD")
	o := p.ClientOptions("SYD").ApplyURI(setURI(status, "three")).SetDialer(ageing{dialer, member.Host, older})
	coll := w.connect(t, "SYD", o, consistency.NewWitness()).Database(ticks.Database().Name()).Collection(ticks.Name())
	return func() (topology.DatacenterID, time.Duration) {
		ctx, watch := consistency.Observe(t.Context())
		at, err := tick(ctx, coll)
		if err != nil {
			t.Fatal(err)
		}
		seen, _ := watch.Last()
		return seen.Datacenter, time.Since(at)
	}
}

// An ageing dialer makes what one member says about its last write older.
type ageing struct {
	options.ContextDialer
	address string
	by      time.Duration
}

func (a ageing) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := a.ContextDialer.DialContext(ctx, network, address)
	if err != nil || address != a.address || a.by == 0 {
		return conn, err
	}
	return &ageingConn{Conn: conn, by: a.by}, nil
}

// An ageingConn reads whole messages, each of which begins with its length.
type ageingConn struct {
	net.Conn
	by   time.Duration
	rest []byte
}

// lastWriteField is the field's type, name and end as BSON has them; 8 bytes of milliseconds follow.
var lastWriteField = []byte("\x09lastWriteDate\x00")

// Read implements net.Conn.
func (c *ageingConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		length := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, length); err != nil {
			return 0, err
		}
		message := append(length, make([]byte, binary.LittleEndian.Uint32(length)-4)...)
		if _, err := io.ReadFull(c.Conn, message[4:]); err != nil {
			return 0, err
		}
		if _, after, ok := bytes.Cut(message, lastWriteField); ok {
			binary.LittleEndian.PutUint64(after, binary.LittleEndian.Uint64(after)-uint64(c.by.Milliseconds()))
		}
		c.rest = message
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
