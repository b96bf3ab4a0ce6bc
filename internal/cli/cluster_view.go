package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// A statusView is a status with what it takes to print it as a table. It encodes as the status.
type statusView struct {
	cluster.Status
	// Connect tells each datacenter's clients where to go.
	Connect []connection `json:"connect,omitempty"`
	world   *topology.Topology
}

// A connection is a datacenter's connection string.
type connection struct {
	Datacenter topology.DatacenterID `json:"datacenter"`
	URI        string                `json:"uri"`
}

func (v statusView) text(out page) {
	out.printf("%s\n\n%s\n", v.heading(out), v.matrix(out))
	v.troubles(out)
	if len(v.Links) > 0 {
		out.printf("%s\n", v.links(out))
	}
	for _, fault := range v.Faults {
		out.printf("%s %s\n", out.bad("fault"), fault)
	}
	if len(v.Faults) > 0 {
		out.println()
	}
	t := out.grid("clients in", "connect to") // its clients use a datacenter's query router alone
	for _, c := range v.Connect {
		t.row(c.Datacenter, c.URI)
	}
	out.printf("%s", t)
}

// heading says what runs, and for how long.
func (v statusView) heading(out page) string {
	parts := []string{"cluster " + out.bold(v.Name)}
	if v.ServerVersion != "" {
		parts = append(parts, "MongoDB "+v.ServerVersion)
	}
	router := strings.TrimSpace(v.QueryRouter.Kind + " " + v.QueryRouter.Version)
	if v.QueryRouter.Kind == "devmongos" {
		router += " (development query router)"
	}
	parts = append(parts, "query router: "+router)
	if v.Access != nil {
		parts = append(parts, access(*v.Access))
	}
	if !v.Started.IsZero() {
		parts = append(parts, "up "+v.Taken.Sub(v.Started).Round(time.Second).String())
	}
	return strings.Join(parts, ", ")
}

// access says what is asked of clients.
func access(a cluster.Access) string {
	var asked []string
	if a.Authentication {
		asked = append(asked, "authentication")
	}
	if a.TLS {
		asked = append(asked, "TLS")
	}
	return "clients need " + strings.Join(asked, " and ")
}

// matrix has a row for each replica set and a column for each datacenter.
func (v statusView) matrix(out page) *grid {
	type place struct {
		set string
		dc  topology.DatacenterID
	}
	cells := map[place][]string{}
	for _, m := range v.Members {
		name, err := cluster.ParseMemberName(m.Name)
		if err != nil {
			continue // a provider's own process; it has no row
		}
		at := place{name.Set, name.DC}
		cells[at] = append(cells[at], cell(out, m))
	}
	datacenters := v.world.DatacenterIDs()
	t := out.grid(append([]string{"shard"}, spelling.Texts(datacenters)...)...)
	for _, set := range append(spelling.Texts(v.world.ShardIDs()), cluster.ConfigSet, cluster.Router) {
		row := []any{set}
		for _, dc := range datacenters {
			row = append(row, strings.Join(cells[place{set, dc}], ", "))
		}
		t.row(row...)
	}
	return t
}

// leastLag is the smallest lag worth a mention: below it the table would only flicker.
const leastLag = 100 * time.Millisecond

// cell is a member in the matrix: its role while it works, else its state.
func cell(out page, m cluster.Member) string {
	switch m.State {
	case cluster.StateUp:
	case cluster.StateStarting:
		return out.warn(m.State.String())
	default:
		return out.bad(m.State.String())
	}
	switch m.Role {
	case cluster.RolePrimary, cluster.RoleConfigPrimary:
		return out.good("PRIMARY")
	case cluster.RoleSecondary, cluster.RoleConfig:
		return "secondary" + lag(out, m)
	case cluster.RoleRouter, cluster.RoleRouterCore:
		return "up"
	default:
		return m.Role.String()
	}
}

func lag(out page, m cluster.Member) string {
	if m.Lag == nil || time.Duration(*m.Lag) < leastLag {
		return ""
	}
	return out.warn(fmt.Sprintf(" +%.1fs", time.Duration(*m.Lag).Seconds()))
}

// troubles lists what the matrix has no room for: why members do not work, and primaries away from home.
func (v statusView) troubles(out page) {
	var lines []string
	tell := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format+"\n", args...)) }
	for _, m := range v.Members {
		if m.State != cluster.StateUp {
			tell("%s %s", out.bad(m.Name), strings.TrimSuffix(m.State.String()+": "+m.Detail, ": "))
		}
	}
	for _, m := range v.Members {
		if m.Shard == "" || !m.Home {
			continue
		}
		switch primary, ok := v.Primary(m.Shard); {
		case !ok:
			tell("%s has no primary", out.bad(string(m.Shard)))
		case primary.Name != m.Name:
			tell("%s has its primary away from home: %s instead of %s", out.warn(string(m.Shard)), primary.Name, m.Name)
		}
	}
	if len(lines) > 0 {
		out.println(strings.Join(lines, ""))
	}
}

func (v statusView) links(out page) *grid {
	t := out.grid("link", "rtt", "jitter", "bandwidth", "state")
	for _, l := range v.Links {
		state := out.good("open")
		if l.Cut {
			state = out.bad("cut")
		}
		t.row(fmt.Sprintf("%s - %s", l.Between[0], l.Between[1]), l.RTT, unlessZero(l.Jitter), unlessZero(l.Bandwidth), state)
	}
	return t
}
