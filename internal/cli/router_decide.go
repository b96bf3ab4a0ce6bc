package cli

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// decideFlags describe a request and the state of the world.
type decideFlags struct {
	worldFlags
	Here      string   `flag:"at-dc" usage:"the datacenter whose gateway is asked"`
	Cart      string   `flag:"cart,oneRun" usage:"the record: its handle, such as LON.01K4B4B2V8G3T0000000000000, or its home"`
	Choose    string   `flag:"choose,oneRun" usage:"the datacenter that the client chooses for a new record"`
	Country   string   `flag:"country,oneRun" usage:"the client's country: two letters, such as AU"`
	Location  string   `flag:"location,oneRun" usage:"the client's latitude,longitude, such as 37.77,-122.42"`
	Method    string   `flag:"method,oneRun" usage:"the request's method (default GET)"`
	Path      string   `flag:"path,oneRun" usage:"the request's path, with its query"`
	Class     string   `flag:"class,oneRun" complete:"classes" usage:"read, write or new, whatever the routes say"`
	Redirect  bool     `flag:"redirect,oneRun" usage:"redirect instead of forwarding, whatever the routes say"`
	Down      []string `flag:"down,oneRun" usage:"datacenters whose application does not answer"`
	Primaries []string `flag:"primary,oneRun" usage:"SHARD=DATACENTER where a shard is led away from home, or SHARD=none"`
}

func newRouterDecideCommand(env *environment) *cobra.Command {
	var f decideFlags
	return withFlags(&cobra.Command{
		Use:   "decide",
		Short: "Explain step by step where a request goes",
		Long: `Explain step by step which datacenter serves a request, as a gateway in --at-dc decides it.

--cart is the handle of an existing record, or its home alone. Without it, and without a path that names one, the request makes a new record. --country and --location are
the client's place as a trusted proxy would tell it. --method and --path are read by the routes of the topology. --down names datacenters whose application does not
answer, and --primary where shards are led at the moment (none: an election is under way).

` + whichWorld,
		Example: `  geoshard router decide --country AU --at-dc NYC
  geoshard router decide --cart LON.01K4B4B2V8G3T0000000000000 --at-dc NYC --method POST --path /v1/carts
  geoshard router decide --cart LON --at-dc NYC --down LON --primary lon=NYC
  geoshard router decide --preset us-east-west --at-dc East --location 37.77,-122.42 --output json`,
		RunE: env.ofTable(&f.worldFlags, func(name string, _ *topology.Topology, table *router.Table) (view, error) {
			query, err := f.query(table)
			if err != nil {
				return nil, err
			}
			health, err := f.health(table)
			if err != nil {
				return nil, err
			}
			d, steps := table.Explain(&query, &health)
			return f.view(name, table, d, steps), nil
		}),
	}, &f)
}

// query makes the decision's question.
func (f *decideFlags) query(t *router.Table) (router.Query, error) {
	here, err := knownDatacenter(t, "--at-dc", f.Here)
	if err != nil {
		return router.Query{}, err
	}
	q := router.Query{Here: here, Class: router.New}
	if f.Method != "" || f.Path != "" {
		u, err := f.url()
		if err != nil {
			return q, hint.Errorf("write a path such as /v1/carts/LON.01K4B4B2V8G3T0000000000000", "--path %s: %v", f.Path, err)
		}
		method := cmp.Or(strings.ToUpper(f.Method), http.MethodGet)
		q = router.NewReader(t, here, nil).Read(&http.Request{Method: method, URL: u}, time.Time{}).Query
	} else if f.Cart != "" {
		q.Class = router.Write
	}
	if f.Cart != "" {
		q.Source = router.SourceUnknown
		if q.Home = f.Cart; strings.Contains(f.Cart, ".") {
			if home, _, ok := router.ParseHandle(f.Cart); ok {
				q.Home = home
			} else if _, known := t.Owner(f.Cart); !known {
				return q, hint.Errorf(router.HandleForm+", such as LON.01K4B4B2V8G3T0000000000000", "--cart %s is neither a handle nor a home", f.Cart)
			}
		}
	}
	if f.Class != "" {
		if err := q.Class.UnmarshalText([]byte(f.Class)); err != nil {
			return q, fmt.Errorf("--class: %w", err)
		}
	}
	q.Redirect = q.Redirect || f.Redirect
	q.Explicit, q.Country = f.Choose, strings.ToUpper(f.Country)
	return q, f.place(&q)
}

func (f *decideFlags) url() (*url.URL, error) {
	return url.ParseRequestURI("/" + strings.TrimPrefix(f.Path, "/"))
}

func (f *decideFlags) place(q *router.Query) error {
	if f.Location == "" {
		return nil
	}
	lat, long, _ := strings.Cut(f.Location, ",")
	var badLat, badLong error
	q.Lat, badLat = strconv.ParseFloat(strings.TrimSpace(lat), 64)
	q.Long, badLong = strconv.ParseFloat(strings.TrimSpace(long), 64)
	if badLat != nil || badLong != nil {
		return hint.Errorf("for San Francisco: --location 37.77,-122.42", "--location %s is not latitude,longitude", f.Location)
	}
	q.HasPlace = true
	return nil
}

// health is the state that --down and --primary describe.
func (f *decideFlags) health(t *router.Table) (router.Health, error) {
	h := router.Health{Primaries: make([]router.DC, len(t.Shards()))}
	for _, name := range f.Down {
		dc, err := knownDatacenter(t, "--down", name)
		if err != nil {
			return h, err
		}
		h.Down = h.Down.With(dc)
	}
	for _, pair := range f.Primaries {
		shard, where, found := strings.Cut(pair, "=")
		at := slices.Index(t.Shards(), topology.ShardID(shard))
		if !found || at < 0 {
			return h, hint.Errorf("write SHARD=DATACENTER or SHARD=none; the shards are "+joined(t.Shards()), "--primary %s names no shard", pair)
		}
		if where == "none" {
			h.Primaries[at] = router.Electing
			continue
		}
		dc, err := knownDatacenter(t, "--primary", where)
		if err != nil {
			return h, err
		}
		h.Primaries[at] = dc
	}
	return h, nil
}

// knownDatacenter is the number of a datacenter; NoDC for none at all.
func knownDatacenter(t *router.Table, flag, name string) (router.DC, error) {
	dc := t.DC(topology.DatacenterID(name))
	if name == "" || dc != router.NoDC {
		return dc, nil
	}
	var names []topology.DatacenterID
	for _, known := range t.DCs() {
		names = append(names, t.Datacenter(known))
	}
	return router.NoDC, hint.Errorf(spelling.Hint(name, names, "the datacenters are "+joined(names)), "%s: unknown datacenter %q", flag, name)
}

// A routed is what router decide shows.
type routed struct {
	Topology string                `json:"topology"`
	To       topology.DatacenterID `json:"to,omitempty"`
	Owner    topology.DatacenterID `json:"owner,omitempty"`
	Mode     router.Mode           `json:"mode"`
	Reason   router.Reason         `json:"reason"`
	// NewHome is the value that a new record gets.
	NewHome string        `json:"newHome,omitempty"`
	URL     string        `json:"url,omitempty"`
	Steps   []router.Step `json:"steps"`
}

func (f *decideFlags) view(name string, t *router.Table, d router.Decision, steps []router.Step) routed {
	v := routed{Topology: name, To: t.Datacenter(d.To), Owner: t.Datacenter(d.Owner), Mode: d.Mode, Reason: d.Reason, Steps: steps}
	if d.Placed() {
		v.NewHome = t.NewHome(d.Owner)
	}
	if u, err := f.url(); err == nil && d.Mode == router.Redirect {
		v.URL = t.RedirectURL(d.To, u)
	}
	return v
}

func (v routed) text(out page) {
	t := out.grid("step", "what it found")
	for _, step := range v.Steps {
		t.row(step.Rule, step.Text)
	}
	out.printf("%s", t)
	if v.NewHome != "" {
		out.printf("\nthe new record's home is %s\n", out.good(v.NewHome))
	}
	if v.URL != "" {
		out.printf("\n%s\n", v.URL)
	}
}
