package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

// fill inserts n documents for each datacenter through the router.
func (s opened) fill(t testing.TB, ns string, n int) {
	t.Helper()
	var docs []any
	for i := range n * len(datacenters) {
		docs = append(docs, key(datacenters[i%3], i))
	}
	s.insert(t, s.router, ns, docs...)
}

func TestCleanClusterHasNothingOutside(t *testing.T) {
	s := start(t)
	ns := carts("clean.carts")
	s.place(t, ns.Name, 1)
	s.fill(t, ns.Name, 40)
	r := s.verify(t, s.declare(ns), verify.Options{})
	if !r.Clean() || r.Totals() != (verify.Totals{Documents: 120}) || len(r.NotChecked)+len(r.Warnings) > 0 {
		t.Errorf("got clean %v, %+v, not checked %v, warnings %v", r.Clean(), r.Totals(), r.NotChecked, r.Warnings)
	}
	members := r.Namespaces[0].Members
	if len(members) != 9 {
		t.Fatalf("got %d members, want 9", len(members))
	}
	for _, m := range members {
		if zone := topology.ZoneID(strings.ToUpper(string(m.Shard))); m.Documents != 40 || m.Zones[zone] != 40 || !m.Complete {
			t.Errorf("%s: got %+v, want the 40 documents of %s", m.Host, m, zone)
		}
	}
	for _, z := range r.Residency {
		if len(z.Holders) != 3 || len(z.Violations) > 0 {
			t.Errorf("zone %s: got %+v, want its three members", z.Zone, z)
		}
	}
}

// planted is what a test put where it does not belong.
type planted map[string]verify.Kind

// plant puts n documents into random wrong places: past the router onto a shard that does not own them, or through the router into a chunk that lies
// on a wrong shard. The namespace's ranges must not be in the catalogue, and its values W0, W1 … be owned by the shard that comes after that of their zone.
func (s opened) plant(t testing.TB, random *rand.Rand, ns string, n int) planted {
	t.Helper()
	all := planted{}
	for i := range n {
		id := fmt.Sprintf("planted-%d", i)
		home := random.IntN(len(shards))
		doc := append(bson.D{{Key: "_id", Value: id}}, key(fmt.Sprintf("W%d", home), 1000+i)...)
		if random.IntN(2) == 0 {
			all[id] = verify.Misplaced
			s.insert(t, s.router, ns, doc)
			continue
		}
		all[id] = verify.Orphan
		s.insert(t, s.primary(t, shards[(home+2)%3]), ns, doc)
	}
	return all
}

// wrongly declares that W0 belongs to NYC, W1 to LON and W2 to SYD, and places W0 on lon, W1 on syd and W2 on nyc; NYC, LON and SYD are at home.
func (s opened) wrongly(t testing.TB, name string) topology.Namespace {
	t.Helper()
	ns := carts(name)
	s.place(t, name, 1)
	for i, dc := range datacenters {
		value := fmt.Sprintf("W%d", i)
		ns.Ranges = append(ns.Ranges, topology.Range{Zone: topology.ZoneID(dc), Values: []topology.Value{topology.StringOf(value)}})
		s.admin(t, bson.D{{Key: "split", Value: name}, {Key: "middle", Value: key(value, bson.MinKey{})}})
		s.admin(t, bson.D{{Key: "split", Value: name}, {Key: "middle", Value: key(value+"\x00", bson.MinKey{})}})
		s.admin(t, bson.D{{Key: "moveChunk", Value: name}, {Key: "find", Value: key(value, 0)}, {Key: "to", Value: shards[(i+1)%3]}})
	}
	for _, shard := range shards { // which would delete what is put there meanwhile
		deletions := s.primary(t, shard).Database("config").Collection("rangeDeletions")
		testkit.Eventually(t, testkit.Patience, "no range is to be deleted on "+string(shard), func() bool {
			n, err := deletions.CountDocuments(t.Context(), bson.D{{Key: "nss", Value: name}})
			return err == nil && n == 0
		})
	}
	return ns
}

func TestEveryPlantedDocumentIsFoundOnEveryMember(t *testing.T) {
	s := start(t)
	const n = 20
	seed := testkit.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	ns := s.wrongly(t, "planted.carts")
	s.fill(t, ns.Name, 100)
	want := s.plant(t, random, ns.Name, n)
	r := s.verify(t, s.declare(ns), verify.Options{Examples: 2 * n})
	found := r.Namespaces[0]
	for _, role := range []verify.Role{verify.RolePrimary, verify.RoleSecondary} {
		misplaced, orphans, members := int64(0), int64(0), int64(0)
		for _, m := range found.Members {
			if m.Role == role {
				misplaced, orphans, members = misplaced+m.Misplaced, orphans+m.Orphans, members+1
			}
		}
		copies := members / int64(len(shards)) // of each shard's documents
		if misplaced != copies*want.count(verify.Misplaced) || orphans != copies*want.count(verify.Orphan) {
			t.Errorf("seed %d: %d %s members: got %d misplaced and %d orphans, want %d times %d and %d",
				seed, members, role, misplaced, orphans, copies, want.count(verify.Misplaced), want.count(verify.Orphan))
		}
	}
	named := map[string]verify.Kind{}
	for _, e := range found.Examples {
		id := strings.Trim(e.ID, `"`)
		named[id] = e.Kind
		if want[id] != e.Kind || len(e.Members) != 3 || (e.Owner == e.Shard) != (e.Kind == verify.Misplaced) {
			t.Errorf("seed %d: got %+v, want it %s and seen on three members", seed, e, want[id])
		}
	}
	if len(named) != n || r.Clean() {
		t.Errorf("seed %d: %d of %d named, clean %v", seed, len(named), n, r.Clean())
	}
	t.Logf("seed %d: %d of %d found, %d of them misplaced", seed, len(named), n, want.count(verify.Misplaced))
	s.readBack(t, r)
	s.throughTheRouter(t, ns, want)
}

func (p planted) count(kind verify.Kind) int64 {
	n := int64(0)
	for _, k := range p {
		if k == kind {
			n++
		}
	}
	return n
}

// readBack checks that a report survives being written, and that a change of it is noticed.
func (s opened) readBack(t *testing.T, r *verify.Report) {
	t.Helper()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	again, err := verify.Read(text)
	if err != nil || again.Hash() != r.Hash() {
		t.Errorf("read back: %v", err)
	}
	if _, err := verify.Read([]byte(strings.Replace(string(text), `"kind": "orphan"`, `"kind": "misplaced"`, 1))); !errors.Is(err, verify.ErrAltered) {
		t.Errorf("altered: got %v, want ErrAltered", err)
	}
}

// throughTheRouter sees what is misplaced, and says that it does not see orphans.
func (s opened) throughTheRouter(t *testing.T, ns topology.Namespace, want planted) {
	t.Helper()
	r := s.verify(t, s.declare(ns), verify.Options{ViaRouter: true, Examples: 50})
	if got := r.Totals(); got.Misplaced != want.count(verify.Misplaced) || got.Orphans != 0 || len(r.NotChecked) == 0 || len(r.Residency) != 0 {
		t.Errorf("through the router: got %+v, not checked %v, want %d misplaced", got, r.NotChecked, want.count(verify.Misplaced))
	}
	if got := int64(len(r.Namespaces[0].Examples)); got != want.count(verify.Misplaced) {
		t.Errorf("through the router: got %d examples, want %d", got, want.count(verify.Misplaced))
	}
}

// No query compares to undefined, so the owner of such a key cannot be asked for like that of others.
func TestUndefinedInAShardKeyIsJudgedLikeAnyValue(t *testing.T) {
	s := start(t)
	ns := s.wrongly(t, "undefined.carts")
	of := func(id, dc string) bson.D {
		return append(bson.D{{Key: "_id", Value: id}}, key(dc, bson.Undefined{})...)
	}
	want := planted{"placed wrongly": verify.Misplaced, "left behind": verify.Orphan, "left behind, of nobody": verify.Orphan}
	s.insert(t, s.router, ns.Name, of("placed wrongly", "W0"), of("moved", "W1"))
	s.insert(t, s.primary(t, "nyc"), ns.Name, of("left behind", "W1"))
	s.insert(t, s.primary(t, "lon"), ns.Name, of("left behind, of nobody", "W2"))
	want["moved"] = verify.Misplaced
	r := s.verify(t, s.declare(ns), verify.Options{})
	found := planted{}
	for _, e := range r.Namespaces[0].Examples {
		found[strings.Trim(e.ID, `"`)] = e.Kind
	}
	if !maps.Equal(found, want) {
		t.Errorf("got %v, want %v", found, want)
	}
	if got := r.Totals(); got.Misplaced != 2 || got.Orphans != 2 {
		t.Errorf("got %+v, want 2 misplaced and 2 orphans", got)
	}
	s.throughTheRouter(t, ns, want)
}

func TestOrphansOfNoZoneAndOfAnUnshardedCollectionAreFound(t *testing.T) {
	s := start(t)
	ns, plain := carts("leftover.carts"), carts("leftover.plain")
	s.place(t, ns.Name, 1)
	s.fill(t, ns.Name, 5)
	s.insert(t, s.router, ns.Name, key("TKO", 1), key("TKO", 2), key(7, 3), bson.D{{Key: "id", Value: 4}})
	owner := s.owner(t, ns.Name, "TKO")
	elsewhere := shards[0]
	if owner == elsewhere {
		elsewhere = shards[1]
	}
	s.insert(t, s.primary(t, elsewhere), ns.Name, key("TKO", 9))
	s.insert(t, s.router, plain.Name, key("NYC", 1))
	r := s.verify(t, s.declare(ns, plain), verify.Options{})
	found := r.Namespaces[0]
	if got := r.Totals(); got.Unknown != 5 || len(found.Leftovers) != 1 || found.Leftovers[0] != (verify.Leftover{Shard: elsewhere, Documents: 1}) {
		t.Errorf("got %+v and %+v, want 5 of unknown values and one leftover on %s", got, found.Leftovers, elsewhere)
	}
	values := map[string]int64{}
	for _, v := range found.Unknown {
		values[v.Value] += v.Documents
	}
	if values[`"TKO"`] != 3 || values[`{"$numberInt":"7"}`] != 1 || values["null"] != 1 || len(values) != 3 {
		t.Errorf("got unknown values %v", values)
	}
	// With a zone for the rest they belong somewhere.
	ns.Unknown, ns.UnknownZone = topology.UnknownToZone, topology.ZoneID(strings.ToUpper(string(owner)))
	r = s.verify(t, s.declare(ns), verify.Options{})
	if got := r.Totals(); got.Orphans != 1 || len(r.Namespaces[0].Leftovers) != 0 {
		t.Errorf("unknown: zone: got %+v, want the planted one as an orphan outside its zone", got)
	}
}

// owner is the shard that answers a query for a value.
func (s opened) owner(t *testing.T, ns, dc string) topology.ShardID {
	t.Helper()
	db, coll, _ := strings.Cut(ns, ".")
	for _, shard := range shards {
		n, err := s.primary(t, shard).Database(db).Collection(coll).CountDocuments(t.Context(), bson.D{{Key: "dc", Value: dc}})
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return shard
		}
	}
	t.Fatalf("nobody has %s", dc)
	return ""
}

func TestResidencyNamesMembersInDatacentersThatAreNotAllowed(t *testing.T) {
	s := start(t)
	ns := carts("resident.carts")
	s.place(t, ns.Name, "hashed")
	s.fill(t, ns.Name, 10)
	w := s.declare(ns)
	w.Zones = append([]topology.Zone(nil), w.Zones...)
	w.Zones[1].AllowedDatacenters = []topology.DatacenterID{"LON", "NYC"} // its shard has a member in Sydney
	r := s.verify(t, w, verify.Options{})
	violations := r.Residency[1].Violations
	if r.Clean() || len(violations) != 1 || violations[0].Datacenter != "SYD" || violations[0].Shard != "lon" || violations[0].Documents != 10 {
		t.Errorf("got %+v, want lon's member in Sydney with 10 documents", r.Residency[1])
	}
	// An orphan is a copy like any other: one of NYC's in a place that does not allow it is a violation too.
	w.Zones[1].AllowedDatacenters = nil
	w.Zones[0].AllowedDatacenters = []topology.DatacenterID{"NYC", "LON", "SYD"}
	if r := s.verify(t, w, verify.Options{}); !r.Clean() {
		t.Errorf("allowed everywhere: got %+v", r.Residency)
	}
}

func TestSamplesStateTheirConfidenceAndThrottleTakesItsTime(t *testing.T) {
	s := start(t)
	ns := s.wrongly(t, "sampled.carts")
	s.fill(t, ns.Name, 1000)
	r := s.verify(t, s.declare(ns), verify.Options{Sample: 100})
	want := 1 - math.Pow(0.05, 1.0/100)
	for _, m := range r.Namespaces[0].Members {
		if m.Complete || m.Documents != 100 || m.OutsideAtMost == nil || math.Abs(*m.OutsideAtMost-want) > 1e-9 {
			t.Errorf("%s: got %+v, want 100 documents and the bound %v", m.Host, m, want)
		}
	}
	// A third of the documents on lon are in the wrong place now: a sample of 200 without one has a probability below 1e-30.
	var docs []any
	for i := range 500 {
		docs = append(docs, key("W0", i))
	}
	s.insert(t, s.router, ns.Name, docs...)
	r = s.verify(t, s.declare(ns), verify.Options{Sample: 200, SparePrimaries: true})
	for _, m := range r.Namespaces[0].Members {
		if m.Role != verify.RoleSecondary {
			t.Errorf("%s is a %s", m.Host, m.Role)
		}
		if (m.Misplaced > 0) != (m.Shard == "lon") || m.Orphans > 0 || float64(m.Misplaced)/200 >= *m.OutsideAtMost {
			t.Errorf("%s: got %+v", m.Host, m)
		}
	}
	began := time.Now()
	r = s.verify(t, s.declare(ns), verify.Options{Throttle: 3000, SparePrimaries: true})
	if took, least := time.Since(began), time.Second; took < least {
		t.Errorf("7000 documents on secondaries at 3000 a second took %v, want %v at least", took, least)
	}
	if got := r.Totals(); got.Misplaced != 500 || got.Documents != 3500 {
		t.Errorf("throttled: got %+v", got)
	}
}

func TestWhatCannotBeProvedIsAnErrorWithAWayOut(t *testing.T) {
	s := start(t)
	ns := carts("refused.carts")
	s.place(t, ns.Name, 1)
	other := s.declare(ns)
	other.Shards = other.Shards[:2]
	closed := options.Client().ApplyURI("mongodb://127.0.0.1/")
	for name, c := range map[string]struct {
		run  func() (*verify.Report, error)
		want error
	}{
		"a mongod": {func() (*verify.Report, error) {
			return verify.Verify(t.Context(), s.primary(t, "nyc"), s.declare(ns), verify.Options{})
		}, topology.ErrNoQueryRouter},
		"a namespace that is not declared": {func() (*verify.Report, error) {
			return verify.Verify(t.Context(), s.router, s.declare(ns), verify.Options{Namespaces: []string{"refused.cart"}})
		}, topology.ErrUndeclared},
		"a shard that is not declared": {func() (*verify.Report, error) {
			return verify.Verify(t.Context(), s.router, other, verify.Options{})
		}, topology.ErrUndeclared},
		"no credentials": {func() (*verify.Report, error) {
			return verify.Verify(t.Context(), s.router, s.declare(ns), verify.Options{ShardClient: closed})
		}, verify.ErrUnreachable},
	} {
		r, err := c.run()
		if !errors.Is(err, c.want) || hint.Of(err) == "" || r != nil {
			t.Errorf("%s: got %v, %v, want %v with a hint", name, r, err, c.want)
		}
		t.Logf("%s: %v", name, err)
	}
}

func TestUnreachableMembersAreNamedAndHostsAreMapped(t *testing.T) {
	s := start(t)
	ns := carts("mapped.carts")
	s.place(t, ns.Name, 1)
	s.fill(t, ns.Name, 10)
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost, _ := status.Member("syd/LON")
	mapped, _ := status.Member("nyc/LON")
	listener := forward(t, mapped.Host)
	hosts := map[string]string{lost.Host: "127.0.0.1:1", mapped.Host: listener.Addr().String()}
	r, err := verify.Verify(t.Context(), s.router, s.declare(ns), verify.Options{ShardClient: s.login(t), HostMap: hosts})
	if !errors.Is(err, verify.ErrUnreachable) || !strings.Contains(err.Error(), lost.Host) || r == nil {
		t.Fatalf("got %v, want ErrUnreachable for %s, and a report", err, lost.Host)
	}
	if got := len(r.Namespaces[0].Members); got != 8 || len(r.NotChecked) != 1 || !strings.Contains(r.NotChecked[0], lost.Host) {
		t.Errorf("got %d members, not checked %v, want 8 and the one that is lost", got, r.NotChecked)
	}
	if listener.accepted.Load() == 0 {
		t.Error("the mapped host was not used")
	}
	hosts = map[string]string{"nobody:27017": "127.0.0.1:1"}
	if r, err := verify.Verify(t.Context(), s.router, s.declare(ns), verify.Options{ShardClient: s.login(t), HostMap: hosts}); err != nil || len(r.UnusedHosts) != 1 || r.UnusedHosts[0] != "nobody:27017" {
		t.Errorf("an entry that matches nobody: got %v, %v", r, err)
	}
}

// A forwarder carries connections to another address, and counts them.
type forwarder struct {
	net.Listener
	accepted atomic.Int32
}

func forward(t *testing.T, to string) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f := &forwarder{Listener: l}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			f.accepted.Add(1)
			go pipe(from, to)
		}
	}()
	return f
}

func pipe(from net.Conn, to string) {
	defer from.Close()
	target, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer target.Close()
	go func() { _, _ = io.Copy(target, from) }()
	_, _ = io.Copy(from, target)
}

// Answers by source, not recorded: from 8.0 on config.collections has collections that are not
// sharded, from 8.3 on time series by their own name.
func TestOnlyShardedCollectionsAreRead(t *testing.T) {
	s := start(t)
	coll := s.router.Database("verifylisted").Collection("collections")
	if _, err := coll.InsertMany(t.Context(), []any{
		bson.M{"_id": "shop.carts", "key": bson.M{"dc": 1}, "unique": false},
		bson.M{"_id": "shop.back", "key": bson.M{"dc": 1}, "unsplittable": false},
		bson.M{"_id": "shop.moved", "key": bson.M{"_id": 1}, "unsplittable": true},
		bson.M{"_id": "shop.gone", "key": bson.M{"dc": 1}, "dropped": true},
		bson.M{"_id": "shop.weather", "key": bson.M{"meta.dc": 1}, "timeseriesFields": bson.M{"timeField": "at", "metaField": "meta"}},
	}); err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := coll.Distinct(t.Context(), "_id", verify.OnlySharded).Decode(&names); err != nil || strings.Join(names, " ") != "shop.back shop.carts" {
		t.Errorf("got %v, %v, want shop.back and shop.carts", names, err)
	}
}

// What members of 8.0 and later are asked, 6.0 answers as well.
func TestMembersTellTheirVersionAndWhatTheyHaveApplied(t *testing.T) {
	s := start(t)
	primary := s.primary(t, "nyc")
	s.insert(t, primary, "verifyapplied.marks", bson.D{{Key: "_id", Value: 1}}) // waits for all three members
	if got := verify.VersionOf(t.Context(), primary); !strings.HasPrefix(got.Version, "6.0.") || got.FCV != "6.0" {
		t.Errorf("got %+v, want 6.0 twice", got)
	}
	newest, err := verify.Applied(t.Context(), primary)
	if err != nil || newest.IsZero() {
		t.Fatalf("got %v, %v", newest, err)
	}
	for _, name := range []string{"nyc/LON", "nyc/SYD"} {
		testkit.EventuallyNil(t, time.Minute, name+" to have it applied", func(ctx context.Context) error {
			got, err := verify.Applied(ctx, s.member(t, name))
			if err == nil && got.Before(newest) {
				err = fmt.Errorf("it has %v of %v", got, newest)
			}
			return err
		})
	}
}
