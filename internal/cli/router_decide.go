package cli

import (
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
	here, cart, choose  string
	country, location   string
	method, path, class string
	down, primaries     []string
	redirect            bool
}

func newRouterDecideCommand(env *environment) *cobra.Command {
	var f decideFlags
	cmd := &cobra.Command{
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
	}
	f.add(cmd, "use a preset", "use the topology of a file")
	flags := cmd.Flags()
	flags.StringVar(&f.here, "at-dc", "", "the datacenter whose gateway is asked")
	flags.StringVar(&f.cart, "cart", "", "the record: its handle, such as LON.01K4B4B2V8G3T0000000000000, or its home")
	flags.StringVar(&f.choose, "choose", "", "the datacenter that the client chooses for a new record")
	flags.StringVar(&f.country, "country", "", "the client's country: two letters, such as AU")
	flags.StringVar(&f.location, "location", "", "the client's latitude,longitude, such as 37.77,-122.42")
	flags.StringVar(&f.method, "method", "", "the request's method (default GET)")
	flags.StringVar(&f.path, "path", "", "the request's path, with its query")
	flags.StringVar(&f.class, "class", "", "read, write or new, whatever the routes say")
	flags.BoolVar(&f.redirect, "redirect", false, "redirect instead of forwarding, whatever the routes say")
	flags.StringSliceVar(&f.down, "down", nil, "datacenters whose application does not answer")
	flags.StringSliceVar(&f.primaries, "primary", nil, "SHARD=DATACENTER where a shard is led away from home, or SHARD=none")
	oneRun(flags, "cart", "choose", "country", "location", "method", "path", "class", "redirect", "down", "primary")
	_ = cmd.RegisterFlagCompletionFunc("class", cobra.FixedCompletions([]string{"read", "write", "new"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// query makes the decision's question.
func (f *decideFlags) query(t *router.Table) (router.Query, error) {
	here, err := knownDatacenter(t, "--at-dc", f.here)
	if err != nil {
		return router.Query{}, err
	}
	q := router.Query{Here: here, Class: router.New}
	if f.method != "" || f.path != "" {
		u, err := url.ParseRequestURI("/" + strings.TrimPrefix(f.path, "/"))
		if err != nil {
			return q, hint.New(fmt.Errorf("--path %s: %v", f.path, err), "write a path such as /v1/carts/LON.01K4B4B2V8G3T0000000000000")
		}
		method := strings.ToUpper(f.method)
		if method == "" {
			method = http.MethodGet
		}
		q = router.NewReader(t, here, nil).Read(&http.Request{Method: method, URL: u}, time.Time{}).Query
	} else if f.cart != "" {
		q.Class = router.Write
	}
	if f.cart != "" {
		q.Source = router.SourceUnknown
		if q.Home = f.cart; strings.Contains(f.cart, ".") {
			if home, _, ok := router.ParseHandle(f.cart); ok {
				q.Home = home
			} else if _, known := t.Owner(f.cart); !known {
				return q, hint.New(fmt.Errorf("--cart %s is neither a handle nor a home", f.cart), "a handle is HOME.ULID, such as LON.01K4B4B2V8G3T0000000000000")
			}
		}
	}
	if f.class != "" {
		if err := q.Class.UnmarshalText([]byte(f.class)); err != nil {
			return q, fmt.Errorf("--class: %w", err)
		}
	}
	q.Redirect = q.Redirect || f.redirect
	q.Explicit, q.Country = f.choose, strings.ToUpper(f.country)
	return q, f.place(&q)
}

func (f *decideFlags) place(q *router.Query) error {
	if f.location == "" {
		return nil
	}
	lat, long, _ := strings.Cut(f.location, ",")
	var badLat, badLong error
	q.Lat, badLat = strconv.ParseFloat(strings.TrimSpace(lat), 64)
	q.Long, badLong = strconv.ParseFloat(strings.TrimSpace(long), 64)
	if badLat != nil || badLong != nil {
		return hint.New(fmt.Errorf("--location %s is not latitude,longitude", f.location), "for San Francisco: --location 37.77,-122.42")
	}
	q.HasPlace = true
	return nil
}

// health is the state that --down and --primary describe.
func (f *decideFlags) health(t *router.Table) (router.Health, error) {
	h := router.Health{Primaries: make([]router.DC, len(t.Shards()))}
	for _, name := range f.down {
		dc, err := knownDatacenter(t, "--down", name)
		if err != nil {
			return h, err
		}
		h.Down = h.Down.With(dc)
	}
	for _, pair := range f.primaries {
		shard, where, found := strings.Cut(pair, "=")
		at := slices.Index(t.Shards(), topology.ShardID(shard))
		if !found || at < 0 {
			return h, hint.New(fmt.Errorf("--primary %s names no shard", pair), "write SHARD=DATACENTER or SHARD=none; the shards are "+joined(t.Shards()))
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
	return router.NoDC, hint.New(fmt.Errorf("%s: unknown datacenter %q", flag, name), spelling.Hint(name, names, "the datacenters are "+joined(names)))
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
	if u, err := url.ParseRequestURI("/" + strings.TrimPrefix(f.path, "/")); err == nil && d.Mode == router.Redirect {
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
