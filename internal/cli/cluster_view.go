package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// A statusView is a status with what it takes to print it as a table. It encodes as the status.
type statusView struct {
	cluster.Status
	// Connect tells each datacenter's clients where to go.
	Connect     []connection `json:"connect,omitempty"`
	datacenters []topology.DatacenterID
	rows        []string // shards, then config and router
}

// A connection is a datacenter's connection string.
type connection struct {
	Datacenter topology.DatacenterID `json:"datacenter"`
	URI        string                `json:"uri"`
}

func newStatusView(status cluster.Status, t *topology.Topology) statusView {
	return statusView{Status: status, datacenters: t.DatacenterIDs(), rows: append(spelling.Texts(t.ShardIDs()), cluster.ConfigSet, cluster.Router)}
}

func (v statusView) text(w io.Writer, s styles) {
	fmt.Fprintf(w, "%s\n\n", v.heading(s))
	fmt.Fprintf(w, "%s\n", v.matrix(s))
	v.troubles(w, s)
	if len(v.Links) > 0 {
		fmt.Fprintf(w, "%s\n", v.links(s))
	}
	for _, fault := range v.Faults {
		fmt.Fprintf(w, "%s %s\n", s.bad.Render("fault"), fault)
	}
	if len(v.Faults) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, v.uris(s))
}

// heading says what runs, and for how long.
func (v statusView) heading(s styles) string {
	parts := []string{"cluster " + s.bold.Render(v.Name)}
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
		if !a.RolesEnforced {
			asked[0] += " (roles of users are not enforced by the query router)"
		}
	}
	if a.TLS {
		asked = append(asked, "TLS")
	}
	return "clients need " + strings.Join(asked, " and ")
}

// matrix has a row for each replica set and a column for each datacenter.
func (v statusView) matrix(s styles) string {
	cells := map[string]map[topology.DatacenterID][]string{}
	for _, m := range v.Members {
		name, err := cluster.ParseMemberName(m.Name)
		if err != nil {
			continue // a provider's own process; it has no row
		}
		if cells[name.Set] == nil {
			cells[name.Set] = map[topology.DatacenterID][]string{}
		}
		cells[name.Set][name.DC] = append(cells[name.Set][name.DC], cell(s, m))
	}
	header := []string{"shard"}
	for _, dc := range v.datacenters {
		header = append(header, string(dc))
	}
	rows := [][]string{header}
	for _, set := range v.rows {
		row := []string{set}
		for _, dc := range v.datacenters {
			row = append(row, strings.Join(cells[set][dc], ", "))
		}
		rows = append(rows, row)
	}
	return grid(s, rows)
}

// leastLag is the smallest lag worth a mention: below it the table would only flicker.
const leastLag = 100 * time.Millisecond

// cell is a member in the matrix: its role while it works, else its state.
func cell(s styles, m cluster.Member) string {
	switch m.State {
	case cluster.StateUp:
	case cluster.StateStarting:
		return s.warn.Render(m.State.String())
	default:
		return s.bad.Render(m.State.String())
	}
	switch m.Role {
	case cluster.RolePrimary, cluster.RoleConfigPrimary:
		return s.good.Render("PRIMARY")
	case cluster.RoleSecondary, cluster.RoleConfig:
		return "secondary" + lag(s, m)
	case cluster.RoleRouter, cluster.RoleRouterCore:
		return "up"
	default:
		return m.Role.String()
	}
}

func lag(s styles, m cluster.Member) string {
	if m.Lag == nil || time.Duration(*m.Lag) < leastLag {
		return ""
	}
	return s.warn.Render(fmt.Sprintf(" +%.1fs", time.Duration(*m.Lag).Seconds()))
}

// troubles lists what the matrix has no room for: why members do not work, and primaries away from home.
func (v statusView) troubles(w io.Writer, s styles) {
	told := false
	for _, m := range v.Members {
		if m.State != cluster.StateUp {
			fmt.Fprintf(w, "%s %s", s.bad.Render(m.Name), m.State)
			if m.Detail != "" {
				fmt.Fprintf(w, ": %s", m.Detail)
			}
			fmt.Fprintln(w)
			told = true
		}
	}
	for _, m := range v.Members {
		if m.Shard == "" || !m.Home {
			continue
		}
		switch primary, ok := v.Primary(m.Shard); {
		case !ok:
			fmt.Fprintf(w, "%s has no primary\n", s.bad.Render(string(m.Shard)))
			told = true
		case primary.Name != m.Name:
			fmt.Fprintf(w, "%s has its primary away from home: %s instead of %s\n", s.warn.Render(string(m.Shard)), primary.Name, m.Name)
			told = true
		}
	}
	if told {
		fmt.Fprintln(w)
	}
}

func (v statusView) links(s styles) string {
	rows := [][]string{{"link", "rtt", "jitter", "bandwidth", "state"}}
	for _, l := range v.Links {
		row := []string{fmt.Sprintf("%s - %s", l.Between[0], l.Between[1]), l.RTT.String(), "", "", s.good.Render("open")}
		if l.Jitter != 0 {
			row[2] = l.Jitter.String()
		}
		if l.Bandwidth != 0 {
			row[3] = l.Bandwidth.String()
		}
		if l.Cut {
			row[4] = s.bad.Render("cut")
		}
		rows = append(rows, row)
	}
	return grid(s, rows)
}

// uris lists the connection string of each datacenter's query router: its clients use this one alone.
func (v statusView) uris(s styles) string {
	rows := [][]string{{"clients in", "connect to"}}
	for _, c := range v.Connect {
		rows = append(rows, []string{string(c.Datacenter), c.URI})
	}
	return grid(s, rows)
}

// grid lays rows out in columns, the first row as their heads. Columns that are empty below the head are left out.
func grid(s styles, rows [][]string) string {
	kept := fullColumns(rows)
	t := table.New().Border(lipgloss.HiddenBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderHeader(false).BorderColumn(false).Wrap(false).Headers(kept[0]...).Rows(kept[1:]...).
		StyleFunc(func(row, _ int) lipgloss.Style {
			if row == table.HeaderRow {
				return s.faint.PaddingRight(3)
			}
			return s.plain.PaddingRight(3)
		})
	var b strings.Builder
	for line := range strings.SplitSeq(t.String(), "\n") {
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func fullColumns(rows [][]string) [][]string {
	kept := make([][]string, len(rows))
	for column := range rows[0] {
		full := slices.ContainsFunc(rows[1:], func(row []string) bool { return row[column] != "" })
		for i, row := range rows {
			if full {
				kept[i] = append(kept[i], row[column])
			}
		}
	}
	return kept
}
