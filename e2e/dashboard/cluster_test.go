package dashboard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
)

// What the page shows is what the cluster says to others who ask it.
func TestThePageShowsTheClusterAsItIs(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	status := s.status(t)
	for _, m := range status.Members {
		if m.Role == cluster.RoleRouterCore {
			continue
		}
		p.has(fmt.Sprintf(`#members [data-member=%q][data-state=%q]`, m.Name, m.State))
		if m.Shard != "" {
			p.has(fmt.Sprintf(`#members [data-member=%q][data-role=%q]`, m.Name, m.Role))
			p.has(fmt.Sprintf(`#map [data-key=%q]`, m.Name))
		}
	}
	for _, l := range status.Links {
		want := fmt.Sprintf("%d ms", time.Duration(l.RTT).Milliseconds())
		p.await("the link's round trip", fmt.Sprintf(`document.querySelector("#map [data-key='link-%s-%s'] text").textContent.includes(%q)`, l.Between[0], l.Between[1], want))
	}
	s.holdLayout(t, p)
	for _, way := range []string{"read", "local", "remote"} {
		p.await("a line in the chart of "+way, fmt.Sprintf(`(document.querySelector("#latency .way-%s .line")?.getAttribute("d") ?? "").includes("L")`, way))
	}
	p.await("the copies' lags", `document.querySelectorAll("#staleness path.line[d*=L]").length === 3`)
	p.await("requests that were routed", `document.querySelectorAll("#requests tr[data-reason=owner]").length > 0 && document.querySelectorAll("#requests tr[data-reason=read]").length > 0`)
}

// holdLayout compares zones and chunks with the catalogue as the planner reads it.
func (s *browsedDemo) holdLayout(t *testing.T, p *page) {
	t.Helper()
	uri, err := s.world.Cluster().URI("NYC")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	state, err := c.Read(t.Context(), zones.Declared(s.world.Topology()))
	if err != nil {
		t.Fatal(err)
	}
	chunks := map[topology.ShardID]int{}
	for _, collection := range state.Collections {
		for _, chunk := range collection.Chunks {
			chunks[chunk.Shard]++
		}
		p.await("the chunks of "+collection.Name, fmt.Sprintf(`document.querySelectorAll("[data-collection='%s'] .chunk").length === %d`, collection.Name, len(collection.Chunks)))
	}
	if len(chunks) != 3 {
		t.Fatalf("got chunks on %v, want them on three shards", chunks)
	}
	for shard, n := range chunks {
		p.await(fmt.Sprintf("%d chunks on %s", n, shard), fmt.Sprintf(`document.querySelector("[data-placed=%s]")?.textContent.includes(%q)`, shard, fmt.Sprintf("%d chunk", n)))
		p.await("its zone", fmt.Sprintf(`document.querySelector("[data-placed=%s]").textContent.includes("zone %s")`, shard, strings.ToUpper(string(shard))))
	}
	if astray := p.count(".chunk.astray"); astray != 0 {
		t.Errorf("%d chunks are shown outside of their zone, want 0", astray)
	}
}

// A range that is moved is seen to move: in flight, or in the log of what has moved.
func TestAMigrationIsSeen(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	client := s.database(t)
	admin := client.Database("admin")
	const ns = "lab.moves"
	run := func(command bson.D) {
		t.Helper()
		if err := admin.RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatalf("%v: %v", command[0], err)
		}
	}
	run(bson.D{{Key: "shardCollection", Value: ns}, {Key: "key", Value: bson.D{{Key: "n", Value: 1}}}})
	t.Cleanup(func() { _ = client.Database("lab").Drop(t.Context()) })
	var shard struct {
		Shard string `bson:"shard"`
	}
	p.has(`[data-collection="` + ns + `"]`)
	var of struct {
		UUID bson.Binary `bson:"uuid"`
	}
	if err := client.Database("config").Collection("collections").FindOne(t.Context(), bson.D{{Key: "_id", Value: ns}}).Decode(&of); err != nil {
		t.Fatal(err)
	}
	if err := client.Database("config").Collection("chunks").FindOne(t.Context(), bson.D{{Key: "uuid", Value: of.UUID}}).Decode(&shard); err != nil {
		t.Fatal(err)
	}
	to := map[string]string{"nyc": "lon", "lon": "syd", "syd": "nyc"}[shard.Shard]
	run(bson.D{{Key: "moveChunk", Value: ns}, {Key: "find", Value: bson.D{{Key: "n", Value: 0}}}, {Key: "to", Value: to}})
	p.await("the move", fmt.Sprintf(`document.querySelector("#migrations").textContent.includes("%s: %s → %s")`, ns, shard.Shard, to))
	p.await("the chunk at its new place", fmt.Sprintf(`[...document.querySelectorAll("[data-collection='%s'] .chunk")].some((c) => c.title.includes("on %s"))`, ns, to))
}

// Killed by a button, seen to be down, elected anew, started by a button, and led from home again.
func TestAPrimaryIsKilledAndStartedByButtons(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	before := p.count("#failover li")
	p.press(`[data-act="kill"][data-shard="lon"]`)
	p.has(`[data-member="lon/LON"][data-state="down"]`)
	p.await("another primary", `document.querySelector("[data-shard=lon] [data-role=primary][data-state=up]")?.dataset.member.endsWith("LON") === false`)
	elected, ok := s.status(t).Primary("lon")
	if !ok || elected.Name == "lon/LON" {
		t.Fatalf("the cluster says that lon is led by %q, %v; want another member", elected.Name, ok)
	}
	p.await("the failover in the list, with the writes that were held", fmt.Sprintf(`document.querySelectorAll("#failover li[data-shard=lon]").length > 0 && document.querySelectorAll("#failover li").length > %d &&
		document.querySelector("#failover li[data-shard=lon]").textContent.includes("longest write")`, before))
	t.Logf("failover: %s", p.text("#failover li[data-shard=lon]"))
	p.await("a line of the log", `document.querySelector("#log").textContent.includes("killed lon/LON")`)
	p.press(`[data-act="start"][data-member="lon/LON"]`)
	p.has(`[data-member="lon/LON"][data-state="up"][data-role="primary"]`)
	s.awaitWhole(t)
}

func TestADatacenterIsCutOffAndHealedByButtons(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	p.press(`[data-act="isolate"][data-dc="SYD"]`)
	p.has(`#members [data-dc="SYD"][data-cut="true"]`)
	if status := s.status(t); len(status.Faults) != 1 || status.Faults[0] != "isolate SYD" {
		t.Errorf("the cluster has the faults %v, want isolate SYD", status.Faults)
	}
	p.await("the links of the map", `document.querySelectorAll("#map .link.cut").length === 2 && document.querySelector("#map .dc.off")`)
	p.await("another primary of syd", `[...document.querySelectorAll("[data-shard=syd] [data-role=primary][data-state=up]")].some((m) => !m.dataset.member.endsWith("SYD"))`)
	p.press("#heal")
	p.has(`#members [data-dc="SYD"][data-cut="false"]`)
	p.await("no fault", `document.querySelector("#faults").textContent === "no fault in force"`)
	p.has(`[data-member="syd/SYD"][data-role="primary"]`)
	s.awaitWhole(t)
}
