package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/topology"
)

const (
	// dialWithin bounds the wait for one member: it is up, or the report says that it was not.
	dialWithin = 5 * time.Second
	// catchUpWithin is how long a secondary may take to have what its primary had when the run began.
	catchUpWithin = 10 * time.Second
	pollEvery     = 20 * time.Millisecond
)

// A shard is a shard and the members by which the catalogue finds it: set/host:port,host:port.
type shard struct {
	ID       topology.ShardID `bson:"_id"`
	Host     string
	Draining bool
}

// listShards asks the router for the shards; a mongod has no such command.
func (v *verifier) listShards(ctx context.Context) ([]shard, error) {
	var got struct{ Shards []shard }
	const codeCommandNotFound = 59
	err := v.router.Database("admin").RunCommand(ctx, bson.M{"listShards": 1}).Decode(&got)
	if hasCode(err, codeCommandNotFound) {
		return nil, hint.New(fmt.Errorf("list the shards: %w", topology.ErrNoQueryRouter), "connect to a query router (mongos), not to a member of a shard")
	}
	if err != nil {
		return nil, fmt.Errorf("list the shards: %w", err)
	}
	for _, s := range got.Shards {
		if _, ok := v.world.Shard(s.ID); !ok {
			return nil, hint.New(fmt.Errorf("shard %q of the cluster: %w", s.ID, topology.ErrUndeclared), "add the shard to the topology, or use this cluster's (geoshard import)")
		}
	}
	slices.SortFunc(got.Shards, func(a, b shard) int { return cmp.Compare(a.ID, b.ID) })
	return got.Shards, nil
}

// A member is a server that holds documents, and a connection to it alone.
type member struct {
	shard  topology.ShardID
	host   string
	dc     topology.DatacenterID
	role   Role
	hidden bool
	client *mongo.Client
	// written is the newest operation that it had when it was connected to, applied the newest
	// whose documents it shows.
	written, applied bson.Timestamp
	// wire is the newest wire version that it speaks.
	wire int
}

// connect reaches every member that holds documents, secondaries of a shard first. The error is ErrUnreachable, for those that could not be.
func (v *verifier) connect(ctx context.Context, shards []shard) ([]*member, error) {
	var all []*member
	var lost []string
	for _, s := range shards {
		members, unreachable := v.connectShard(ctx, s)
		lost = append(lost, unreachable...)
		if len(members) == 0 {
			continue
		}
		all = append(all, members...)
		v.catchUp(ctx, members)
	}
	v.report.UnusedHosts = slices.DeleteFunc(slices.Sorted(maps.Keys(v.options.HostMap)), func(host string) bool { return v.mapped[host] })
	if len(lost) == 0 {
		return all, nil
	}
	for _, l := range lost {
		v.notChecked("%s", l)
	}
	return all, hint.New(fmt.Errorf("%w: %s", ErrUnreachable, strings.Join(lost, "; ")),
		"the proof needs every member: start it, say where it can be reached (--host-map), "+loginHint+", or check less (--via-router)")
}

// loginHint names the roles that reading documents from members takes: serverversion.DirectReads is
// about the third.
const loginHint = "log in to the shards as a user with the roles clusterMonitor, readAnyDatabase and, " +
	"from MongoDB 8.0 on, directShardOperations (--shard-credentials)"

// refusedRead gives the error of a read that a member refused its way out.
func refusedRead(err error) error {
	const codeUnauthorized = 13
	if !hasCode(err, codeUnauthorized) {
		return err
	}
	return hint.New(err, loginHint+", or check less (--via-router)")
}

func (v *verifier) connectShard(ctx context.Context, s shard) (members []*member, lost []string) {
	config, err := v.readConfig(ctx, s)
	if err != nil {
		return nil, []string{fmt.Sprintf("shard %s: %v", s.ID, err)}
	}
	for _, c := range config {
		if c.Arbiter {
			continue // holds no documents
		}
		if c.Delay > 0 {
			v.notChecked("member %s of shard %s: it is delayed by %d s by design, so it holds what the others held then", c.Host, s.ID, c.Delay)
			continue
		}
		m, err := v.open(ctx, c.Host)
		if err != nil {
			lost = append(lost, fmt.Sprintf("member %s of shard %s: %v", c.Host, s.ID, err))
			continue
		}
		m.shard, m.dc, m.hidden = s.ID, c.Tags.DC, c.Hidden
		members = append(members, m)
	}
	slices.SortStableFunc(members, func(a, b *member) int { return int(b.role) - int(a.role) }) // secondaries are the greater role
	if last := len(members) - 1; v.options.SparePrimaries && last > 0 && members[last].role == RolePrimary {
		disconnect(members[last])
		members = members[:last]
	}
	return members, lost
}

// A memberConfig is a member in the configuration of its replica set.
type memberConfig struct {
	Host    string
	Arbiter bool `bson:"arbiterOnly"`
	Hidden  bool
	Delay   int64 `bson:"secondaryDelaySecs"`
	Tags    struct{ DC topology.DatacenterID }
}

// readConfig asks any member for the configuration of the set: hidden members are in no other list.
func (v *verifier) readConfig(ctx context.Context, s shard) ([]memberConfig, error) {
	var problems []string
	_, hosts, _ := strings.Cut(s.Host, "/")
	for host := range strings.SplitSeq(hosts, ",") {
		m, err := v.open(ctx, host)
		if err != nil {
			problems = append(problems, fmt.Sprintf("member %s: %v", host, err))
			continue
		}
		var got struct {
			Config struct{ Members []memberConfig }
		}
		err = m.client.Database("admin").RunCommand(ctx, bson.M{"replSetGetConfig": 1}).Decode(&got)
		disconnect(m)
		if err == nil {
			return got.Config.Members, nil
		}
		problems = append(problems, fmt.Sprintf("read the replica set's configuration from %s: %s", host, reason(err)))
	}
	return nil, errors.New(strings.Join(problems, ", "))
}

// reason is what an error says without the command, which servers quote as a whole, with session and signature.
func reason(err error) string {
	text, _, _ := strings.Cut(err.Error(), " to execute command")
	return text
}

// memberOptions lead to one member, with what the options say of logins and TLS.
func (v *verifier) memberOptions(host string) *options.ClientOptions {
	o := options.Client()
	if v.options.ShardClient != nil {
		given := *v.options.ShardClient
		o = &given
	}
	o.ReplicaSet, o.LoadBalanced = nil, nil
	if to, ok := v.options.HostMap[host]; ok {
		v.mapped[host] = true
		// The member's own name stays the one that its certificate has to be of.
		o.SetDialer(dialTo{through: o.Dialer, address: to})
	}
	// The URI replaces one of mongodb+srv, by which the driver makes no direct connection. Login
	// and TLS stay as that one said.
	return o.ApplyURI("mongodb://" + host).SetDirect(true).SetAppName("geoshard verify").SetReadConcern(readconcern.Available()).
		SetServerSelectionTimeout(dialWithin).SetConnectTimeout(dialWithin)
}

// open connects to one member and asks what it is.
func (v *verifier) open(ctx context.Context, host string) (*member, error) {
	client, err := mongo.Connect(v.memberOptions(host))
	if err != nil {
		return nil, err
	}
	m := &member{host: host, client: client, role: RoleSecondary}
	h, err := m.hello(ctx)
	switch {
	case err != nil:
	case h.Primary:
		m.role = RolePrimary
	case !h.Secondary && !h.Arbiter:
		err = errors.New("it is neither primary nor secondary just now")
	}
	if err != nil {
		disconnect(m)
		return nil, err
	}
	m.wire, m.written = h.Wire, h.LastWrite.OpTime.TS
	if m.role == RolePrimary || !m.writesFirst() {
		m.applied = m.written
	}
	return m, nil
}

// dialTo connects to an address, whichever is asked for.
type dialTo struct {
	through options.ContextDialer
	address string
}

// DialContext connects.
func (d dialTo) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	if d.through != nil {
		return d.through.DialContext(ctx, network, d.address)
	}
	return (&net.Dialer{Timeout: dialWithin}).DialContext(ctx, network, d.address)
}

type hello struct {
	Primary   bool `bson:"isWritablePrimary"`
	Secondary bool
	Arbiter   bool `bson:"arbiterOnly"`
	Wire      int  `bson:"maxWireVersion"`
	LastWrite struct {
		OpTime struct{ TS bson.Timestamp } `bson:"opTime"`
	} `bson:"lastWrite"`
}

func (m *member) hello(ctx context.Context) (hello, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var h hello
	err := m.client.Database("admin").RunCommand(ctx, bson.M{"hello": 1}).Decode(&h)
	return h, err
}

// writesFirst reports whether the member may have written an operation to its oplog that it has not
// applied: serverversion.WrittenBeforeApplied.
func (m *member) writesFirst() bool { return m.wire >= serverversion.Wire80 }

// A replicaStatus is what a member says of its own progress.
type replicaStatus struct {
	Optimes struct {
		Applied struct{ TS bson.Timestamp } `bson:"appliedOpTime"`
	}
}

// askApplied asks what the member has applied. It takes a privilege that clusterMonitor has, and
// hello takes none.
func (m *member) askApplied(ctx context.Context) (bson.Timestamp, error) {
	if !m.writesFirst() {
		h, err := m.hello(ctx)
		return h.LastWrite.OpTime.TS, err
	}
	return m.askStatus(ctx)
}

func (m *member) askStatus(ctx context.Context) (bson.Timestamp, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var status replicaStatus
	err := m.client.Database("admin").RunCommand(ctx, bson.M{"replSetGetStatus": 1}).Decode(&status)
	return status.Optimes.Applied.TS, err
}

// catchUp waits until the secondaries have what the newest member of the shard had: else they would be found to hold less than they are about to.
func (v *verifier) catchUp(ctx context.Context, members []*member) {
	newest := slices.MaxFunc(members, func(a, b *member) int { return a.written.Compare(b.written) }).written
	ctx, cancel := context.WithTimeout(ctx, catchUpWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for _, m := range members {
		for newest.After(m.applied) {
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
			applied, err := m.askApplied(ctx)
			if err != nil {
				v.notChecked("the latest writes on %s of shard %s: %s", m.host, m.shard, behind(ctx, err))
				break
			}
			m.applied = applied
		}
	}
}

// behind says why a member is not known to have the latest writes.
func behind(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "it lags behind its primary"
	}
	return "it did not say what it has applied: " + reason(err)
}

func disconnect(members ...*member) {
	for _, m := range members {
		_ = m.client.Disconnect(context.Background())
	}
}
