package consistency

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
)

// A Sighting is what was seen of one command that was answered.
type Sighting struct {
	Command string
	// Server is the address that answered: a member's, or a query router's. A router does not say which member it asked.
	Server string
	// Member is true when Server is a member of a replica set and not a router.
	Member bool
	// Primary is true when Server is a member that was the primary when the driver last heard of it.
	Primary bool
	// Datacenter is that of the member, by its tag dc; behind a router, the one that the read preference demanded by a single tag set. Empty
	// where neither is known.
	Datacenter topology.DatacenterID
	// OperationTime is the answer's own: the newest operation that the member had when it had answered. What it read may lack operations
	// that it copied while it answered. Behind a router it may be another shard's, and says nothing about age.
	OperationTime bson.Timestamp
	// Floor is a time that is proven: the answer has everything up to it. It is what the command demanded (afterClusterTime), or what the
	// same member had said by the time the command was sent; the later of the two. Zero when neither is known.
	Floor bson.Timestamp
	// Duration is from sending to the answer.
	Duration time.Duration
}

// Behind is how old the answer can be at most at the time now: every operation that it lacks was done no longer ago. ok is false when
// nothing is known, as for the first read from a member.
//
// The bound is for reads from secondaries as from primaries, for one shard: where several answered, it holds for what the command demanded and
// not for the rest. Operation times are the primary's clock in whole seconds, so the bound may be up to a second above the truth, and above that by
// how long the shard was idle (at most 10 s, when primaries write no-ops); clockError is by how much that clock may be ahead of now.
func (s Sighting) Behind(now time.Time, clockError time.Duration) (bound time.Duration, ok bool) {
	return age(s.Floor, now, clockError)
}

// BehindAbout is Behind with the answer's own operation time, which is closer: off by what a member copied while it answered. It is
// not known behind a router.
func (s Sighting) BehindAbout(now time.Time, clockError time.Duration) (bound time.Duration, ok bool) {
	if !s.Member {
		return s.Behind(now, clockError)
	}
	return age(later(s.OperationTime, s.Floor), now, clockError)
}

// age is how long ago an operation after the time can have been at most.
func age(t bson.Timestamp, now time.Time, clockError time.Duration) (time.Duration, bool) {
	if t.IsZero() {
		return 0, false
	}
	return max(0, now.Sub(time.Unix(int64(t.T), 0))) + clockError, true
}

func later(a, b bson.Timestamp) bson.Timestamp {
	if a.After(b) {
		return a
	}
	return b
}

// A Witness watches the commands of clients and remembers who answered, and how new the members said they were. It is safe for concurrent use.
type Witness struct {
	mu       sync.Mutex
	members  map[string]member         // guarded by mu; by address, what the driver heard of servers
	sent     map[int64]pending         // guarded by mu; by request
	newest   bson.Raw                  // guarded by mu; the newest cluster time, as the server wrote it
	heardNew bson.Timestamp            // guarded by mu; the time in newest
	seen     map[string]bson.Timestamp // guarded by mu; by address, the newest operation time that a member answered with
}

type member struct {
	datacenter topology.DatacenterID
	router     bool
	primary    bool
}

// A pending command has been sent and not answered.
type pending struct {
	floor      bson.Timestamp
	datacenter topology.DatacenterID // that the read preference demands
}

// NewWitness makes a witness that has seen nothing. Attach it to clients.
func NewWitness() *Witness {
	return &Witness{members: map[string]member{}, sent: map[int64]pending{}, seen: map[string]bson.Timestamp{}}
}

// Attach makes a client with these options be watched. It keeps the command and server monitors that the options have.
func (w *Witness) Attach(o *options.ClientOptions) *options.ClientOptions {
	return o.SetMonitor(w.commandMonitor(o.Monitor)).SetServerMonitor(w.serverMonitor(o.ServerMonitor))
}

func (w *Witness) serverMonitor(before *event.ServerMonitor) *event.ServerMonitor {
	both := *cmp.Or(before, &event.ServerMonitor{})
	next := both.ServerDescriptionChanged
	both.ServerDescriptionChanged = func(e *event.ServerDescriptionChangedEvent) {
		w.described(e.Address.String(), e.NewDescription)
		if next != nil {
			next(e)
		}
	}
	return &both
}

func (w *Witness) described(address string, d event.ServerDescription) {
	m := member{router: d.Kind == "Mongos", primary: d.Kind == "RSPrimary"}
	for _, t := range d.Tags {
		if t.Name == datacenterTag {
			m.datacenter = topology.DatacenterID(t.Value)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.Kind == "Unknown" { // it does not answer at the moment; it is where it was
		m = w.members[address]
		m.primary = false
	}
	w.members[address] = m
}

func (w *Witness) commandMonitor(before *event.CommandMonitor) *event.CommandMonitor {
	before = cmp.Or(before, &event.CommandMonitor{})
	return &event.CommandMonitor{
		Started: both(w.started, before.Started), Succeeded: both(w.succeeded, before.Succeeded), Failed: both(w.failed, before.Failed),
	}
}

// both sees an event itself before another monitor does, if there is one.
func both[E any](see, next func(context.Context, E)) func(context.Context, E) {
	return func(ctx context.Context, e E) {
		see(ctx, e)
		if next != nil {
			next(ctx, e)
		}
	}
}

func (w *Witness) started(_ context.Context, e *event.CommandStartedEvent) {
	p := pending{datacenter: demandedDatacenter(e.Command)}
	p.floor, _ = timestamp(e.Command, "readConcern", "afterClusterTime")
	w.mu.Lock()
	defer w.mu.Unlock()
	p.floor = later(p.floor, w.seen[addressOf(e.ConnectionID)]) // empty for routers
	w.sent[e.RequestID] = p
}

func (w *Witness) failed(_ context.Context, e *event.CommandFailedEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sent, e.RequestID)
}

func (w *Witness) succeeded(ctx context.Context, e *event.CommandSucceededEvent) {
	w.mu.Lock()
	p := w.sent[e.RequestID]
	delete(w.sent, e.RequestID)
	address := addressOf(e.ConnectionID)
	m, known := w.members[address]
	s := Sighting{
		Command: e.CommandName, Server: address, Member: known && !m.router, Primary: m.primary, Datacenter: m.datacenter,
		Floor: p.floor, Duration: e.Duration,
	}
	s.OperationTime, _ = timestamp(e.Reply, "operationTime")
	if s.Member {
		w.seen[address] = later(w.seen[address], s.OperationTime)
	} else {
		s.Datacenter = p.datacenter
	}
	w.remember(e.Reply)
	w.mu.Unlock()
	if watch, ok := ctx.Value(watchKey{}).(*Watch); ok {
		watch.add(s)
	}
}

// remember keeps the newest cluster time. mu is held.
func (w *Witness) remember(reply bson.Raw) {
	raw, ok := reply.Lookup("$clusterTime").DocumentOK()
	if !ok {
		return
	}
	var t Token
	if err := t.readClusterTime(raw); err == nil && t.ClusterTime.After(w.heardNew) {
		w.newest, w.heardNew = slices.Clone(raw), t.ClusterTime
	}
}

// addressOf takes the server's address from the driver's name of a connection, "host:port[-3]".
func addressOf(connection string) string {
	address, _, _ := strings.Cut(connection, "[-")
	return address
}

// demandedDatacenter is the one datacenter whose members may answer by the command's read preference, or empty: behind a router that is all there
// is to know. The mode secondaryPreferred falls back to a primary anywhere.
func demandedDatacenter(command bson.Raw) topology.DatacenterID {
	preference, ok := command.Lookup("$readPreference").DocumentOK()
	if !ok {
		return ""
	}
	mode, _ := preference.Lookup("mode").StringValueOK()
	sets, _ := preference.Lookup("tags").ArrayOK()
	values, err := sets.Values()
	if err != nil || len(values) != 1 || mode != "nearest" && mode != "secondary" {
		return ""
	}
	dc, _ := values[0].Document().Lookup(datacenterTag).StringValueOK()
	return topology.DatacenterID(dc)
}

// Places are the datacenters of the servers that the driver knows, by address; those of routers are empty.
func (w *Witness) Places() map[string]topology.DatacenterID {
	w.mu.Lock()
	defer w.mu.Unlock()
	places := map[string]topology.DatacenterID{}
	for address, m := range w.members {
		places[address] = m.datacenter
	}
	return places
}

// Freshen makes a causal session's next reads be at most the bound old, on whatever member and through any router: it lets them wait for what
// was done before now - bound. It asks no server. A server knows no time newer than what it has heard of, so the session can only
// wait for the newest time that this witness has heard of; where that is older, the guarantee, which is returned, is weaker. It is 0 and false when
// nothing has been heard at all. A process that writes, or reads from a primary, within each bound hears enough; an idle primary has a new time
// every 10 s.
func (w *Witness) Freshen(s *mongo.Session, bound time.Duration, now time.Time) (guaranteed time.Duration, ok bool, err error) {
	w.mu.Lock()
	newest, heard := w.newest, w.heardNew
	w.mu.Unlock()
	if heard.IsZero() {
		return 0, false, nil
	}
	wanted := bson.Timestamp{T: uint32(now.Add(-bound).Unix()) + 1}
	if wanted.After(heard) {
		wanted = heard
	}
	if err := advance(s, newest, wanted); err != nil {
		return 0, false, err
	}
	return now.Sub(time.Unix(int64(wanted.T), 0)), true, nil
}
