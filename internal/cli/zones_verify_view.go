package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/zones/verify"
)

// placement prints the first proof for one collection: what each member holds.
func placement(out page, n verify.Namespace) {
	out.printf("placement of %s %s\n", out.bold(n.Name), out.faint(cmp.Or(n.Key, "not sharded")))
	t := out.grid("shard", "member", "datacenter", "asked as", "documents", "misplaced", "orphans", "outside", "unknown", "outside at most")
	for _, m := range n.Members {
		asked, outside := m.Role.String(), ""
		if m.Hidden {
			asked += ", hidden"
		}
		if m.OutsideAtMost != nil {
			outside = fmt.Sprintf("%.3g %% (sample, 95 %% confidence)", 100**m.OutsideAtMost)
		}
		t.row(m.Shard, m.Host, m.Datacenter, asked, m.Documents, wrong(out, m.Misplaced), wrong(out, m.Orphans), unlessZero(m.Outside), unlessZero(m.Unknown), outside)
	}
	if len(n.Members) == 0 {
		out.println("no documents were looked at")
	} else {
		out.printf("%s", t)
	}
	for _, l := range n.Leftovers {
		out.printf("%s on %s inside their zone or of no zone\n", out.bad(plural(l.Documents, "orphan")), l.Shard)
	}
	for _, e := range n.Examples {
		seen := cmp.Or(strings.Join(e.Members, ", "), "the query router")
		out.printf("%s _id %s, key %s: on %s (seen by %s), belongs to zone %s, owned by %s\n", out.bad(e.Kind.String()), e.ID, e.Key, e.Shard, seen, e.Zone, e.Owner)
	}
	for _, u := range n.Unknown {
		out.printf("%s %s on %s: %s\n", out.warn("unknown value"), u.Value, u.Shard, plural(u.Documents, "document"))
	}
	out.println()
}

// wrong is the cell of what should be 0.
func wrong(out page, n int64) any {
	if n > 0 {
		return out.bad(strconv.FormatInt(n, 10))
	}
	return n
}

// residency prints the second proof: the datacenters that hold each zone's documents.
func (v reportView) residency(out page) {
	if len(v.Residency) == 0 {
		return
	}
	t := out.grid("residency of", "held in", "allowed", "verdict")
	for _, z := range v.Residency {
		verdict, none := out.good("allowed"), "no documents"
		if len(v.NotChecked) > 0 {
			verdict, none = out.good("allowed, of those seen"), "no documents seen"
		}
		switch {
		case len(z.Violations) > 0:
			verdict = out.bad("not allowed: " + holdersOf(z.Violations))
		case len(z.Holders) == 0:
			verdict = none
		}
		t.row(z.Zone, holdersOf(z.Holders), cmp.Or(spelling.List(z.Allowed), "anywhere"), verdict)
	}
	out.printf("%s\n", t)
}

// holdersOf lists the datacenters of members, each once.
func holdersOf(holders []verify.Holder) string {
	var names []string
	for i, h := range holders {
		if i > 0 && h.Datacenter == holders[i-1].Datacenter {
			continue
		}
		names = append(names, cmp.Or(string(h.Datacenter), "nowhere ("+h.Host+" has no tag dc)"))
	}
	return strings.Join(names, ", ")
}

// kept prints what shards that are to be empty still have.
func (v reportView) kept(out page) {
	if len(v.Kept) == 0 {
		return
	}
	t := out.grid("drained shard", "still has", "chunks", "documents", "bytes", "to be moved by")
	for _, k := range v.Kept {
		what, documents, bytes := "the database "+k.Database+", as its primary shard", "", ""
		if k.Collection != "" {
			what, documents, bytes = k.Collection, "unknown", "unknown"
		}
		if k.Documents != nil {
			documents = strconv.FormatInt(*k.Documents, 10)
		}
		if k.Bytes != nil {
			bytes = bytesOf(*k.Bytes)
		}
		command := cmp.Or(k.Command, "add a shard that stays first")
		if k.Command == "" && k.Chunks > 0 {
			command = "the balancer"
		}
		t.row(k.Shard, out.bad(what), unlessZero(k.Chunks), documents, bytes, command)
	}
	out.printf("%smovePrimary: stop all reads and writes of the database's unsharded collections meanwhile, or writes may be lost (manual: movePrimary)\n"+
		"geoshard status names chunks that the balancer does not move, and why\n\n", t)
}
