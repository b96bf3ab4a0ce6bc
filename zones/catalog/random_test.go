package catalog_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
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

// strange is a cluster in whose first shard nobody needs two members of three.
var strange = clustertest.World{Options: local.Options{Name: "strange"}, YAML: `version: 1
datacenters: {HERE: {name: Here}}
shards:
  s0: {members: [{dc: HERE, priority: 1}, {dc: HERE, priority: 0}, {dc: HERE, priority: 0}]}
  s1: {members: [{dc: HERE, priority: 1}]}
  s2: {members: [{dc: HERE, priority: 1}]}
`}

// Collections of any kind, and members of any: a plan of them is made, an apply does all that can be done, a proof is made, and what is left out is named.
func TestRandomCatalogues(t *testing.T) {
	t.Parallel()
	c := openOf(t, strange.Start(t))
	count, seed := testkit.Count(t, "catalogues", 10, 200), testkit.Seed(t)
	kinds, done, left := map[string]int{}, 0, 0
	var members someMembers
	for i := range count {
		r := stranger{t, rand.New(rand.NewPCG(seed, uint64(i))), kinds}
		db := fmt.Sprintf("random%d", i)
		t.Run(db, func(t *testing.T) {
			r.T = t
			leaveForeign(t, c, db)
			if i%3 == 0 { // members take two seconds to hear of it
				members = r.members(c)
			}
			names := r.catalogue(c, db)
			declared, pattern := names, r.one(3)
			if pattern {
				declared = []string{"*"}
			}
			world := foreignWorld(t, db, declared...)
			p, err := c.Plan(t.Context(), world, plan.Options{Shard: true})
			if err != nil {
				t.Fatalf("plan: %v", err)
			}
			_, err = apply.Apply(t.Context(), p, c.DepsIn(db+"-journal", catalog.LockOptions{}), apply.Options{AutoApprove: true, Force: true})
			var refused *apply.StepError
			if err != nil && !errors.As(err, &refused) {
				t.Fatalf("apply: %v", err)
			}
			again, err := c.Plan(t.Context(), world, plan.Options{Shard: true})
			if err != nil {
				t.Fatalf("plan again: %v", err)
			}
			for _, step := range again.Steps {
				if _, sharding := step.Change.(zones.ShardCollection); !sharding || refused == nil {
					t.Errorf("still to do: %s (%v)", step.Change, refused)
				}
			}
			state, err := c.Read(t.Context(), zones.Declared(world))
			if err != nil {
				t.Fatal(err)
			}
			members.named(t, c, world, p)
			for _, name := range names {
				ns := db + "." + name
				found, _ := state.Collection(ns)
				named := slices.ContainsFunc(p.Findings, func(f zones.Finding) bool {
					return f.Subject == ns && (f.Severity != zones.SeverityNote || strings.HasPrefix(f.Rule, "pattern-"))
				}) ||
					slices.ContainsFunc(p.Manual, func(m zones.Manual) bool { return m.Collection == ns }) ||
					slices.ContainsFunc(again.Steps, func(s zones.Step) bool { return zones.SubjectOf(s.Change).Collection == ns })
				switch whole := found.Sharded && len(found.Ranges) == 2; {
				case whole:
					done++
				case named:
					left++
				case pattern && !found.Exists: // nobody knows its name
				default:
					t.Errorf("%s is left out without a word: %+v\n%v", ns, found, p.Findings)
				}
			}
		})
	}
	t.Logf("%d collections have their zones, %d are named; of these kinds: %v", done, left, kinds)
	if done == 0 || left == 0 {
		t.Error("the catalogues are all of one sort")
	}
}

// A stranger makes collections without a thought of zones.
type stranger struct {
	*testing.T
	*rand.Rand
	kinds map[string]int // counts what was made
}

func (r *stranger) one(of int) bool { return r.IntN(of) == 0 }

// someMembers are hosts of members that are hidden, and of the one that is delayed, if any is.
type someMembers struct {
	hidden  []string
	delayed string
}

// members makes the spare members of s0 hidden or delayed, or like any other. One alone is delayed: two others make a majority.
func (r *stranger) members(c *catalog.Catalog) (made someMembers) {
	r.Helper()
	primary, ok := primaryOf(r.T, c, "s0")
	var answer struct {
		Config struct {
			Version int32
			Members []bson.M
			Rest    bson.M `bson:",inline"`
		}
	}
	admin := connect(r.T, "mongodb://"+primary+"/?directConnection=true").Database("admin")
	if err := admin.RunCommand(r.Context(), bson.D{{Key: "replSetGetConfig", Value: 1}}).Decode(&answer); err != nil || !ok {
		r.Fatal(err)
	}
	answer.Config.Version++
	for _, m := range answer.Config.Members {
		host := m["host"].(string)
		if host == primary {
			continue
		}
		m["hidden"], m["secondaryDelaySecs"], m["votes"] = false, 0, 1
		switch {
		case r.one(2):
		case made.delayed == "" && r.one(2):
			made.delayed, m["hidden"], m["secondaryDelaySecs"], m["votes"] = host, r.one(2), 1+r.IntN(3600), r.IntN(2)
			r.kinds["delayed member"]++
		default:
			made.hidden, m["hidden"] = append(made.hidden, host), true
			r.kinds["hidden member"]++
		}
	}
	if err := admin.RunCommand(r.Context(), bson.D{{Key: "replSetReconfig", Value: answer.Config}}).Err(); err != nil {
		r.Fatal(err)
	}
	return made
}

// named wants plan, import and verify to name the members that are hidden or delayed, and no others.
func (m someMembers) named(t *testing.T, c *catalog.Catalog, world *topology.Topology, p *zones.Plan) {
	t.Helper()
	slices.Sort(m.hidden)
	told := func(what string, findings []zones.Finding, rule string, want ...string) {
		t.Helper()
		var got []string
		for _, f := range findings {
			if f.Rule == rule {
				got = append(got, f.Subject)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %s: got %v, want %v", what, rule, got, want)
		}
	}
	delayed := slices.DeleteFunc([]string{m.delayed}, func(host string) bool { return host == "" })
	told("plan", p.Findings, "member-hidden", m.hidden...)
	told("plan", p.Findings, "member-delayed", delayed...)
	state, err := c.Read(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, findings, err := plan.Import(state)
	if err != nil {
		t.Errorf("import: %v", err)
	}
	told("import", findings, "import-hidden", m.hidden...)
	told("import", findings, "import-delayed", delayed...)
	report, err := verify.Verify(t.Context(), c.Client(), world, verify.Options{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	for _, ns := range report.Namespaces {
		var hidden []string
		for _, row := range ns.Members {
			if row.Host == m.delayed {
				t.Errorf("verify: %s: the delayed member was looked at", ns.Name)
			}
			if row.Hidden {
				hidden = append(hidden, row.Host)
			}
		}
		if slices.Sort(hidden); !slices.Equal(hidden, m.hidden) {
			t.Errorf("verify: %s: got hidden members %v, want %v", ns.Name, hidden, m.hidden)
		}
	}
	said := slices.ContainsFunc(report.NotChecked, func(text string) bool {
		return strings.Contains(text, "by design") && strings.Contains(text, cmp.Or(m.delayed, "by design"))
	})
	if said != (m.delayed != "") {
		t.Errorf("verify: got %q, want the delayed member %q in it", report.NotChecked, m.delayed)
	}
}

func primaryOf(t *testing.T, c *catalog.Catalog, shard topology.ShardID) (host string, ok bool) {
	t.Helper()
	state, err := c.Read(t.Context(), []string{"none.none"})
	if err != nil {
		t.Fatal(err)
	}
	found, _ := state.Shard(shard)
	for _, m := range found.Members {
		if m.Primary {
			return m.Host, true
		}
	}
	return "", false
}

// oddNames are legal, each once in a catalogue.
var oddNames = []string{"plain", "with space", "Ümläut", "a.b.c", "fs.chunks", "UPPER", "x-y_z", "ends.", "it's", "日本"}

func (r *stranger) catalogue(c *catalog.Catalog, db string) []string {
	names := slices.Clone(oddNames)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:3+r.IntN(3)]
	for _, name := range names {
		r.collection(c, db, name)
	}
	return names
}

// made counts a kind that the server took; what it refuses is no part of the catalogue.
func (r *stranger) made(kind string, err error) bool {
	if err == nil {
		r.kinds[kind]++
	}
	return err == nil
}

func (r *stranger) collection(c *catalog.Catalog, db, name string) {
	ctx, database := r.Context(), c.Client().Database(db)
	coll := database.Collection(name)
	if r.one(12) {
		r.made("view", database.CreateView(ctx, name, "other", mongo.Pipeline{}))
		return
	}
	if r.one(12) {
		return // it does not exist
	}
	o := options.CreateCollection()
	if r.one(3) {
		o.SetCollation(pick(r, []*options.Collation{insensitive, {Locale: "de", Strength: 1}, {Locale: "simple"}}))
	}
	if r.one(8) {
		o.SetCapped(true).SetSizeInBytes(100_000)
	}
	if r.one(4) {
		o.SetValidator(bson.D{{Key: "never", Value: bson.D{{Key: "$exists", Value: false}}}}).SetValidationLevel(pick(r, []string{"strict", "moderate"})).SetValidationAction(pick(r, []string{"warn", "error"}))
	}
	if r.one(8) {
		o.SetChangeStreamPreAndPostImages(bson.D{{Key: "enabled", Value: true}})
	}
	if r.one(8) {
		o.SetClusteredIndex(bson.D{{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "unique", Value: true}})
	}
	r.made("create", database.CreateCollection(ctx, name, o))
	for range r.IntN(4) {
		r.index(coll)
	}
	if r.one(3) {
		keys := []bson.D{byKey, {{Key: "dc", Value: "hashed"}}, {{Key: "id", Value: 1}}, {{Key: "dc", Value: 1}, {Key: "id", Value: 1}, {Key: "more", Value: 1}}, {{Key: "dc", Value: 1}}, {{Key: "dc", Value: 1}, {Key: "id", Value: "hashed"}}}
		command := bson.D{{Key: "shardCollection", Value: db + "." + name}, {Key: "key", Value: pick(r, keys)}, {Key: "collation", Value: bson.D{{Key: "locale", Value: "simple"}}}}
		r.made("sharded", c.Client().Database("admin").RunCommand(ctx, command).Err())
	}
	if r.one(2) {
		for range 1 + r.IntN(6) {
			_, err := coll.InsertOne(ctx, bson.D{{Key: "dc", Value: pick(r, anyValues)}, {Key: "id", Value: pick(r, anyValues)}, {Key: "a", Value: pick(r, anyValues)}})
			r.made("document", err)
		}
	}
}

// anyValues has each type of BSON.
var anyValues = []any{
	"A", "a", "B", "", nil, true, int32(7), int64(7), 7.5, bson.MinKey{}, bson.MaxKey{}, bson.Undefined{}, bson.A{"A", 1}, bson.D{{Key: "x", Value: 1}}, bson.D{},
	bson.Regex{Pattern: "^A"}, bson.JavaScript("1"), bson.Symbol("A"), bson.Timestamp{T: 1}, bson.NewObjectID(), bson.Binary{Data: []byte{1}}, time.Unix(0, 0),
	bson.CodeWithScope{Code: "1", Scope: bson.D{}}, bson.DBPointer{DB: "a.b", Pointer: bson.NewObjectID()},
}

func (r *stranger) index(coll *mongo.Collection) {
	keys := pick(r, []bson.D{
		byKey, byKey, {{Key: "dc", Value: 1}}, {{Key: "dc", Value: 1}, {Key: "id", Value: 1}, {Key: "a", Value: -1}}, {{Key: "a", Value: 1}},
		{{Key: "dc", Value: -1}, {Key: "id", Value: 1}}, {{Key: "dc", Value: 1}, {Key: "id", Value: "hashed"}}, {{Key: "a", Value: "text"}}, {{Key: "$**", Value: 1}},
	})
	o := options.Index()
	if r.one(3) {
		o.SetName(pick(r, []string{"dc_1_id_1", "other", "third"}))
	}
	if r.one(4) {
		o.SetSparse(true)
	}
	if r.one(4) {
		o.SetHidden(true)
	}
	if r.one(4) {
		o.SetPartialFilterExpression(bson.D{{Key: "a", Value: bson.D{{Key: "$gt", Value: 1}}}})
	}
	if r.one(4) {
		o.SetCollation(insensitive)
	}
	if r.one(5) {
		o.SetUnique(true)
	}
	_, err := coll.Indexes().CreateOne(r.Context(), mongo.IndexModel{Keys: keys, Options: o})
	r.made("index", err)
}

func pick[T any](r *stranger, from []T) T { return from[r.IntN(len(from))] }
