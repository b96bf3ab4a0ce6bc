package catalog_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

// drainable is a world of which London can be taken out.
const drainable = `version: 1
datacenters: {NYC: {name: New York}, LON: {name: London}}
links: [{between: [NYC, LON], rtt: 76ms}]
shards:
  nyc: {members: [{dc: NYC, priority: 1}, {dc: LON, priority: 0}]}
  lon: {members: [{dc: LON, priority: 1}, {dc: NYC, priority: 0}]}
zones:
  NYC: {shards: [nyc]}
  LON: {shards: [lon]}
namespaces:
  shop.carts: {key: {dc: 1, id: 1}, zoneBy: dc}
`

// removedWithin bounds the removal of a shard: the balancer moves its chunks one by one, on a
// machine that is busy.
const removedWithin = 3 * time.Minute

// A datacenter that is drained is the primary shard of databases, and holds chunks of a collection
// that nobody declared. Plan, status and verify name all of it, with commands; once these have been
// run as they are printed, and not before, removeShard ends and verify finds everything clean.
func TestADrainedShardCanBeRemovedByTheCommandsThatArePrinted(t *testing.T) {
	t.Parallel()
	world, err := topology.Parse("world.yaml", []byte(drainable))
	if err != nil {
		t.Fatal(err)
	}
	cluster := clustertest.Own(t, local.Options{Topology: world, Name: "drained", WANScale: -1})
	c := openAt(t, cluster, "NYC")
	d := drainedCluster{c, c.Client()}
	d.furnish(t)

	prune := plan.Options{Prune: true, Shard: true}
	d.apply(t, world, prune)
	state, err := c.Read(t.Context(), zones.Declared(world))
	if err != nil {
		t.Fatal(err)
	}
	drained, _, err := plan.DrainDatacenter(world, state, "LON")
	if err != nil {
		t.Fatal(err)
	}
	inPlan := leftBehind(d.apply(t, drained, prune).Findings)
	for _, want := range []string{
		`warning drained-primary it's`, `warning drained-unsharded it's.a "b"`,
		`warning drained-unsharded it's.fs.files`, `warning drained-unsharded it's.weather`,
		`warning drained-primary my-db`, `warning drained-primary shop`,
		`error drained-pinned other.events`, `error drained-jumbo other.events`, `warning drained-chunks other.events`,
	} {
		if !slices.ContainsFunc(inPlan, func(line string) bool { return strings.HasPrefix(line, want+": ") }) {
			t.Errorf("the plan does not say %s:\n%s", want, strings.Join(inPlan, "\n"))
		}
	}
	if text := strings.Join(inPlan, "\n"); !strings.Contains(text, "(3 documents, ") || strings.Contains(text, "it's.seen") {
		t.Errorf("want the size of what is there, and no view:\n%s", text)
	}
	status, err := c.Status(t.Context(), drained)
	if err != nil {
		t.Fatal(err)
	}
	if got := leftBehind(status.Drained); !slices.Equal(got, inPlan) {
		t.Errorf("the status says\n%swhere the plan said\n%s", strings.Join(got, "\n"), strings.Join(inPlan, "\n"))
	}
	report := d.verify(t, drained)
	if report.Clean() {
		t.Error("verify calls it clean")
	}
	var kept []string
	for _, k := range report.Kept {
		documents := int64(-1)
		if k.Documents != nil {
			documents = *k.Documents
		}
		kept = append(kept, fmt.Sprintf("%s %s %q %d chunks %d documents: %s",
			k.Shard, k.Database, k.Collection, k.Chunks, documents, k.Command))
	}
	if got, want := strings.Join(kept, "\n"), `lon it's "it's.a \"b\"" 0 chunks 3 documents: db.adminCommand({movePrimary: "it's", to: "nyc"})
lon it's "it's.fs.files" 0 chunks 1 documents: db.adminCommand({movePrimary: "it's", to: "nyc"})
lon it's "it's.weather" 0 chunks -1 documents: db.adminCommand({movePrimary: "it's", to: "nyc"})
lon it's "" 0 chunks -1 documents: db.adminCommand({movePrimary: "it's", to: "nyc"})
lon my-db "" 0 chunks -1 documents: db.adminCommand({movePrimary: "my-db", to: "nyc"})
lon shop "" 0 chunks -1 documents: db.adminCommand({movePrimary: "shop", to: "nyc"})
lon other "other.events" 3 chunks 3 documents: db.adminCommand({removeShard: "lon"})`; got != want {
		t.Errorf("verify: got\n%s\nwant\n%s", got, want)
	}

	// The databases come first, then chunks that nothing else would move, and the removal.
	commands := commandsOf(t, status.Drained)
	for _, command := range commands {
		t.Logf("%v", command)
		if err := d.client.Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
			t.Errorf("%v: %v", command, err)
		}
	}
	testkit.EventuallyNil(t, removedWithin, "the shard is removed", func(ctx context.Context) error {
		var answer bson.M
		err := d.client.Database("admin").RunCommand(ctx, bson.D{{Key: "removeShard", Value: "lon"}}).Decode(&answer)
		if err == nil && answer["state"] != "completed" {
			err = fmt.Errorf("%v", answer)
		}
		return err
	})
	if report := d.verify(t, drained); !report.Clean() {
		t.Errorf("got %+v, want it clean", report)
	}
	for ns, want := range map[string]int64{`it's.a "b"`: 3, "it's.weather": 2, "other.events": 4, "shop.carts": 6} {
		db, name, _ := cut(ns)
		if n, err := d.client.Database(db).Collection(name).CountDocuments(t.Context(), bson.D{}); n != want || err != nil {
			t.Errorf("%s: got %d documents, %v, want %d", ns, n, err, want)
		}
	}
}

// A drainedCluster is the cluster of that test.
type drainedCluster struct {
	*catalog.Catalog
	client *mongo.Client
}

// furnish makes databases whose primary shard is in London, and a sharded collection that nobody
// declares with chunks there: one of no zone, one of a zone that only London has, and one that is
// too large to be moved.
func (d drainedCluster) furnish(t *testing.T) {
	for _, db := range []string{"my-db", "it's", "shop"} {
		d.admin(t, bson.D{{Key: "enableSharding", Value: db}, {Key: "primaryShard", Value: "lon"}})
	}
	its := d.client.Database("it's")
	series := options.CreateCollection().SetTimeSeriesOptions(options.TimeSeries().SetTimeField("at"))
	if err := its.CreateCollection(t.Context(), "weather", series); err != nil {
		t.Fatal(err)
	}
	if err := its.CreateView(t.Context(), "seen", `a "b"`, mongo.Pipeline{}); err != nil {
		t.Fatal(err)
	}
	d.insert(t, its.Collection(`a "b"`), bson.D{}, bson.D{}, bson.D{})
	d.insert(t, its.Collection("fs.files"), bson.D{{Key: "filename", Value: "a"}})
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	d.insert(t, its.Collection("weather"), bson.D{{Key: "at", Value: at}}, bson.D{{Key: "at", Value: at.Add(time.Second)}})

	d.admin(t, bson.D{{Key: "enableSharding", Value: "other"}, {Key: "primaryShard", Value: "nyc"}})
	const events = "other.events"
	perform(t, d.Catalog, zones.AddShardToZone{Shard: "lon", Zone: "OLD"},
		zones.AddRange{Collection: events, Range: zones.Range{Min: eventKey(t, 0), Max: eventKey(t, 10), Zone: "OLD"}},
		zones.ShardCollection{Collection: events, Key: topology.Key{{Name: "k"}}})
	for _, k := range []int{-1, 1, 11, 21} {
		d.insert(t, d.client.Database("other").Collection("events"), bson.D{{Key: "k", Value: k}})
	}
	d.admin(t, bson.D{{Key: "split", Value: events}, {Key: "middle", Value: bson.D{{Key: "k", Value: 20}}}})
	for k, to := range map[int]string{-1: "nyc", 11: "lon", 21: "lon"} {
		d.admin(t, bson.D{
			{Key: "moveChunk", Value: events}, {Key: "find", Value: bson.D{{Key: "k", Value: k}}}, {Key: "to", Value: to},
		})
	}
	flag := bson.M{"$set": bson.M{"jumbo": true}}
	chunks := d.client.Database("config").Collection("chunks")
	result, err := chunks.UpdateOne(t.Context(), bson.M{"min.k": 10, "shard": "lon"}, flag)
	if err != nil || result.MatchedCount != 1 {
		t.Fatalf("flag a chunk: %v, %+v", err, result)
	}
}

func eventKey(t *testing.T, k any) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "k", Value: k}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (d drainedCluster) admin(t *testing.T, command bson.D) {
	t.Helper()
	if err := d.client.Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
		t.Fatalf("%v: %v", command, err)
	}
}

func (d drainedCluster) insert(t *testing.T, into *mongo.Collection, docs ...bson.D) {
	t.Helper()
	if _, err := into.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

// apply brings a world about, with six documents of shop.carts, and waits until they are where they
// belong.
func (d drainedCluster) apply(t *testing.T, world *topology.Topology, o plan.Options) *zones.Plan {
	t.Helper()
	p, err := d.Plan(t.Context(), world, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apply.Apply(t.Context(), p, d.ApplyDeps(catalog.LockOptions{}), apply.Options{AutoApprove: true}); err != nil {
		t.Fatal(err)
	}
	carts := d.client.Database("shop").Collection("carts")
	if n, err := carts.EstimatedDocumentCount(t.Context()); err == nil && n == 0 {
		fill(t, d.Catalog, "shop.carts", map[any]int{"NYC": 3, "LON": 3})
	}
	if err := apply.Wait(t.Context(), p.Layout, d.Catalog, apply.WaitOptions{Goal: apply.WaitMoved}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (d drainedCluster) verify(t *testing.T, world *topology.Topology) *verify.Report {
	t.Helper()
	report, err := verify.Verify(t.Context(), d.client, world, verify.Options{ViaRouter: true})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// leftBehind are the findings about drained shards, but for the journal's database, which may be
// anywhere, and gaps between declared ranges.
func leftBehind(findings []zones.Finding) (lines []string) {
	for _, f := range findings {
		told := strings.HasPrefix(f.Subject, zones.JournalDatabase) || f.Subject == "shop.carts"
		if strings.HasPrefix(f.Rule, "drained-") && !told {
			lines = append(lines, fmt.Sprintf("%s %s %s: %s (%s)", f.Severity, f.Rule, f.Subject, f.Message, f.Hint))
		}
	}
	return lines
}

var (
	printedCommand = regexp.MustCompile(`db\.adminCommand\((.*)\)$`)
	bareField      = regexp.MustCompile(`([{,] ?)(movePrimary|to|removeShard|addShardToZone|zone|moveRange|min|max|toShard|forceJumbo): `)
	longNumber     = regexp.MustCompile(`NumberLong\("(\d+)"\)`)
)

// commandsOf are the commands in hints, each once, as mongosh would read them.
func commandsOf(t *testing.T, findings []zones.Finding) (commands []bson.D) {
	var seen []string
	for _, f := range findings {
		found := printedCommand.FindStringSubmatch(f.Hint)
		if found == nil || slices.Contains(seen, found[1]) {
			continue
		}
		seen = append(seen, found[1])
		text := strings.ReplaceAll(bareField.ReplaceAllString(found[1], `$1"$2": `), "MaxKey()", `{"$maxKey": 1}`)
		var command bson.D
		if err := bson.UnmarshalExtJSON([]byte(longNumber.ReplaceAllString(text, `{"$$numberLong": "$1"}`)), false, &command); err != nil {
			t.Fatalf("%s: %v", found[1], err)
		}
		commands = append(commands, command)
	}
	return commands
}
