package gateway

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"time"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

//go:embed debug.html
var debugHTML string

// debugPage escapes everything that it shows.
var debugPage = template.Must(template.New("debug").Parse(debugHTML))

// A LiveTable is what a gateway knows at a moment.
type LiveTable struct {
	At          time.Time             `json:"at"`
	Here        topology.DatacenterID `json:"here"`
	Namespace   string                `json:"namespace"`
	Datacenters []LiveDatacenter      `json:"datacenters"`
	Shards      []LiveShard           `json:"shards"`
	UnderWay    int64                 `json:"requestsUnderWay"`
	Held        int64                 `json:"held"`
	MostHeld    int64                 `json:"mostHeld"`
	Kept        int64                 `json:"replayBytes"`
	Budget      string                `json:"budget"`
	// Reloaded is when the configuration was last read anew, and Refused why it was not taken.
	Reloaded *time.Time `json:"reloaded,omitempty"`
	Refused  string     `json:"refused,omitempty"`
}

// A LiveDatacenter is a datacenter as the gateway sees it.
type LiveDatacenter struct {
	ID        topology.DatacenterID `json:"id"`
	Up        bool                  `json:"up"`
	NewHome   string                `json:"newHome,omitempty"`
	RTT       string                `json:"rtt,omitempty"`
	Endpoint  string                `json:"endpoint,omitempty"`
	Upstreams []upstreamState       `json:"upstreams"`
	// WriteGoes and ReadGoes say where requests to a record that is at home there would go now.
	WriteGoes string `json:"writeGoes,omitempty"`
	ReadGoes  string `json:"readGoes,omitempty"`
}

// A LiveShard is a shard and where its primary is: a datacenter, "none" or "unknown", which is taken to be home.
type LiveShard struct {
	ID      topology.ShardID      `json:"id"`
	Home    topology.DatacenterID `json:"home"`
	Primary string                `json:"primary"`
}

// Table returns what the gateway knows now.
func (g *Gateway) Table() LiveTable {
	w, h := g.wiring.Load(), g.health.now.Load()
	t := LiveTable{
		At: g.o.Now().UTC(), Here: g.o.Here, Namespace: w.table.Namespace(), UnderWay: g.underWay.Load(), Held: g.held.taken.Load(), MostHeld: g.held.most.Load(),
		Kept: g.kept.taken.Load(), Budget: w.settings.Budget.String(),
	}
	if r := g.reloaded.Load(); r != nil {
		t.Reloaded = &r.At
		if r.Err != nil {
			t.Refused = r.Err.Error()
		}
	}
	for _, dc := range w.table.DCs() {
		pool := w.pools[dc]
		d := LiveDatacenter{ID: w.table.Datacenter(dc), Up: pool.up(), NewHome: w.table.NewHome(dc), Endpoint: w.table.Endpoint(dc), Upstreams: pool.states()}
		if rtt := pool.rtt(); rtt > 0 {
			d.RTT = rtt.Round(10 * time.Microsecond).String()
		}
		if d.NewHome != "" {
			d.WriteGoes, d.ReadGoes = w.goes(router.Write, d.NewHome, h), w.goes(router.Read, d.NewHome, h)
		}
		t.Datacenters = append(t.Datacenters, d)
	}
	for i, shard := range w.table.Shards() {
		one := LiveShard{ID: shard, Home: w.world.HomeOf(shard), Primary: "unknown"}
		if i < len(h.Primaries) {
			one.Primary = w.nameOf(h.Primaries[i])
		}
		t.Shards = append(t.Shards, one)
	}
	return t
}

// goes says in words where a request to a record that is at home there would go.
func (w *wiring) goes(class router.Class, home string, h *router.Health) string {
	d := w.table.Decide(&router.Query{Here: w.here, Class: class, Home: home}, h)
	text := d.Mode.String() + " (" + d.Reason.String() + ")"
	if d.To != router.NoDC {
		text = string(w.table.Datacenter(d.To)) + ": " + text
	}
	return text
}

func (a *admin) table(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, a.g.Table())
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}

func (a *admin) page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("format") == "json" || r.Header.Get("Accept") == "application/json" {
		a.table(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = debugPage.Execute(w, a.g.Table()) // the caller has gone
}
