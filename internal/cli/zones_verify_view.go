package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

// placement prints the first proof for one collection: what each member holds.
func placement(w io.Writer, s styles, n verify.Namespace) {
	key := n.Key
	if key == "" {
		key = "not sharded"
	}
	fmt.Fprintf(w, "placement of %s %s\n", s.bold.Render(n.Name), s.faint.Render(key))
	rows := [][]string{{"shard", "member", "datacenter", "asked as", "documents", "misplaced", "orphans", "unknown", "outside at most"}}
	for _, m := range n.Members {
		row := []string{string(m.Shard), m.Host, string(m.Datacenter), m.Role.String(), strconv.FormatInt(m.Documents, 10), wrong(s, m.Misplaced), wrong(s, m.Orphans), "", ""}
		if m.Unknown > 0 {
			row[7] = strconv.FormatInt(m.Unknown, 10)
		}
		if m.OutsideAtMost != nil {
			row[8] = fmt.Sprintf("%.3g %% (sample, 95 %% confidence)", 100**m.OutsideAtMost)
		}
		rows = append(rows, row)
	}
	if len(n.Members) == 0 {
		fmt.Fprintln(w, "no documents were looked at")
	} else {
		fmt.Fprint(w, grid(s, rows))
	}
	for _, l := range n.Leftovers {
		fmt.Fprintf(w, "%s on %s inside their zone or of no zone\n", s.bad.Render(plural64(l.Documents, "orphan")), l.Shard)
	}
	for _, e := range n.Examples {
		seen := "the query router"
		if len(e.Members) > 0 {
			seen = strings.Join(e.Members, ", ")
		}
		fmt.Fprintf(w, "%s _id %s, key %s: on %s (seen by %s), belongs to zone %s, owned by %s\n", s.bad.Render(e.Kind.String()), e.ID, e.Key, e.Shard, seen, e.Zone, e.Owner)
	}
	for _, u := range n.Unknown {
		fmt.Fprintf(w, "%s %s on %s: %s\n", s.warn.Render("unknown value"), u.Value, u.Shard, plural64(u.Documents, "document"))
	}
	fmt.Fprintln(w)
}

func wrong(s styles, n int64) string {
	text := strconv.FormatInt(n, 10)
	if n > 0 {
		return s.bad.Render(text)
	}
	return text
}

// residency prints the second proof: the datacenters that hold each zone's documents.
func (v reportView) residency(w io.Writer, s styles) {
	if len(v.Residency) == 0 {
		return
	}
	rows := [][]string{{"residency of", "held in", "allowed", "verdict"}}
	for _, z := range v.Residency {
		verdict := s.good.Render("allowed")
		switch {
		case len(z.Violations) > 0:
			verdict = s.bad.Render("not allowed: " + holdersOf(z.Violations))
		case len(z.Holders) == 0:
			verdict = "no documents"
		}
		rows = append(rows, []string{string(z.Zone), holdersOf(z.Holders), allowedIn(z.Allowed), verdict})
	}
	fmt.Fprintf(w, "%s\n", grid(s, rows))
}

func allowedIn(dcs []topology.DatacenterID) string {
	if len(dcs) == 0 {
		return "anywhere"
	}
	return datacenterList(dcs)
}

// holdersOf lists the datacenters of members, each once.
func holdersOf(holders []verify.Holder) string {
	var names []string
	for i, h := range holders {
		if i > 0 && h.Datacenter == holders[i-1].Datacenter {
			continue
		}
		name := string(h.Datacenter)
		if name == "" {
			name = "nowhere (" + h.Host + " has no tag dc)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
