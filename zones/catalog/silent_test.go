package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

const (
	// everythingWithin bounds each of the commands below where a shard is silent.
	everythingWithin = 90 * time.Second
	// statusWithin is for a status: 10 s to read what the shards know of collections, 15 s for its counts, and the rest for a busy machine.
	statusWithin = 40 * time.Second
)

// A shard whose server answers nothing, though its connections stand, is named, and everything that the others tell is told, within a bound of time.
func TestASilentShardIsNamedAndTheRestIsTold(t *testing.T) {
	t.Parallel()
	small, err := clustertest.Small()
	if err != nil {
		t.Fatal(err)
	}
	cluster := clustertest.Own(t, local.Options{Topology: small, Name: "silent"})
	c := openOf(t, cluster)
	const db = "silence"
	world := foreignWorld(t, db, "a", "b")
	for _, name := range []string{"a", "b"} {
		perform(t, c, zones.AddShardToZone{Shard: "s0", Zone: db + "-A"}, zones.AddShardToZone{Shard: "s1", Zone: db + "-B"},
			zones.AddRange{Collection: db + "." + name, Range: tight(t, "A", db+"-A")}, zones.ShardCollection{Collection: db + "." + name, Key: byDC})
		fill(t, c, db+"."+name, map[any]int{"A": 5, "B": 5, "X": 1})
	}
	mute := bson.D{{Key: "enableSharding", Value: "mute"}, {Key: "primaryShard", Value: "s1"}}
	if err := c.Client().Database("admin").RunCommand(t.Context(), mute).Err(); err != nil {
		t.Fatal(err)
	}
	others := map[string]int64{}
	before, err := verify.Verify(t.Context(), c.Client(), world, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range before.Namespaces {
		for _, m := range ns.Members {
			if m.Shard != "s1" {
				others[fmt.Sprintf("%s on %s", ns.Name, m.Shard)] = m.Documents
			}
		}
	}
	if err := cluster.Pause(t.Context(), "s1/HERE"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the cluster closes behind it
		if err := cluster.Start(context.WithoutCancel(t.Context()), "s1/HERE"); err != nil {
			t.Error(err)
		}
	})
	within := func(what string, do func(context.Context, *testing.T)) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), everythingWithin)
			defer cancel()
			began := time.Now()
			do(ctx, t)
			t.Logf("%s: %s", what, time.Since(began).Round(time.Second))
		})
	}
	named := func(t *testing.T, findings []zones.Finding, rule, subject string) {
		t.Helper()
		if !slices.ContainsFunc(findings, func(f zones.Finding) bool { return f.Rule == rule && f.Subject == subject }) {
			t.Errorf("got %v, want %s of %s", findings, rule, subject)
		}
	}
	within("plan", func(ctx context.Context, t *testing.T) {
		p, err := c.Plan(ctx, world, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		named(t, p.Findings, "shard-unseen", "s1")
		added := slices.ContainsFunc(p.Steps, func(s zones.Step) bool { return strings.Contains(s.Change.String(), db+"-B") })
		if !added {
			t.Errorf("got %v, want the ranges that are missing", p.Steps)
		}
	})
	within("status", func(ctx context.Context, t *testing.T) {
		began := time.Now()
		status, err := c.Status(ctx, world)
		if err != nil {
			t.Fatal(err)
		}
		if status.Changes == 0 || len(status.State.Shards) != 3 || !strings.HasPrefix(status.Unseen, "documents outside their zone, copies left behind and migrations could not be counted: ") {
			t.Errorf("got %+v, want three shards, the changes, and that it is not known what lies outside", status)
		}
		if took := time.Since(began); took > statusWithin {
			t.Errorf("it took %s, want %s at most", took.Round(time.Second), statusWithin)
		}
	})
	within("drained", func(ctx context.Context, t *testing.T) {
		kept, err := c.Kept(ctx, []topology.ShardID{"s1"})
		if err != nil {
			t.Fatal(err)
		}
		if len(kept.Databases) != 1 || kept.Databases[0].Name != "mute" || kept.Databases[0].Unread == "" || len(kept.Collections) == 0 {
			t.Errorf("got %+v, want the database, that its collections are not known, and the collections with chunks", kept)
		}
	})
	within("verify", func(ctx context.Context, t *testing.T) {
		report, err := verify.Verify(ctx, c.Client(), world, verify.Options{})
		if !errors.Is(err, verify.ErrUnreachable) || report == nil || ctx.Err() != nil {
			t.Fatalf("got %v, want ErrUnreachable and a report", err)
		}
		if !slices.ContainsFunc(report.NotChecked, func(text string) bool { return strings.Contains(text, "shard s1") }) {
			t.Errorf("got %v, want that s1 was not looked at", report.NotChecked)
		}
		if report.Clean() {
			t.Errorf("got a clean report, which what nobody looked at is not")
		}
		shown := map[string]int64{}
		for _, ns := range report.Namespaces {
			for _, m := range ns.Members {
				shown[fmt.Sprintf("%s on %s", ns.Name, m.Shard)] = m.Documents
			}
		}
		if !maps.Equal(shown, others) {
			t.Errorf("got documents of %v, want those of the others, %v", shown, others)
		}
	})
	within("verify through the router", func(ctx context.Context, t *testing.T) {
		report, err := verify.Verify(ctx, c.Client(), world, verify.Options{ViaRouter: true})
		if err == nil || report == nil || report.Clean() || ctx.Err() != nil {
			t.Errorf("got %+v, %v, want an error in time, and a report that is not clean", report, err)
		}
	})
	within("import", func(ctx context.Context, t *testing.T) {
		state, err := c.Read(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		world, findings, err := plan.Import(state)
		if err != nil {
			t.Fatal(err)
		}
		named(t, findings, "import-unseen", "s1")
		if _, ok := world.Namespace(db + ".a"); !ok || len(world.Shards) != 3 {
			t.Errorf("got %s", world.Draft())
		}
	})
}
