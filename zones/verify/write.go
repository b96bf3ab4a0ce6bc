package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/geoshard/geoshard/hint"
)

// content is a Report without the methods of one.
type content Report

// signed is a report as it is written.
type signed struct {
	content
	SHA256 string `json:"sha256"`
}

// Hash is the SHA-256, in hexadecimal, of the report's canonical content: its JSON without the hash, as this package writes it.
func (r *Report) Hash() string {
	text, err := json.Marshal((*content)(r))
	if err != nil {
		panic(fmt.Sprintf("encode a report: %v", err)) // it holds nothing that JSON lacks
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// MarshalJSON writes the report and its hash.
func (r *Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(signed{content(*r), r.Hash()})
}

// Read reads a report that MarshalJSON wrote, with whatever white space since, and checks its hash. It returns ErrAltered if somebody changed it. The
// hash is no signature: whoever changes a report can make another one.
func Read(text []byte) (*Report, error) {
	var s signed
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, hint.New(fmt.Errorf("read the report: %w", err), "give the JSON that verify wrote")
	}
	r := Report(s.content)
	if r.Hash() != s.SHA256 {
		return nil, hint.New(fmt.Errorf("%w: its content has the hash %s, it says %q", ErrAltered, r.Hash(), s.SHA256), "run verify again")
	}
	return &r, nil
}

// Text is the report for people.
func (r *Report) Text() string {
	var b strings.Builder
	for _, n := range r.Namespaces {
		n.text(&b)
	}
	r.residencyText(&b)
	for _, what := range r.NotChecked {
		fmt.Fprintf(&b, "not checked: %s\n", what)
	}
	t := r.Totals()
	verdict := "clean"
	if !r.Clean() {
		verdict = "NOT CLEAN"
	}
	fmt.Fprintf(&b, "%s: %d documents, %d misplaced, %d orphans, %d of unknown values; taken %s\nsha256 %s\n",
		verdict, t.Documents, t.Misplaced, t.Orphans, t.Unknown, r.Taken.Format(time.RFC3339), r.Hash())
	return b.String()
}

func (n Namespace) text(b *strings.Builder) {
	key := n.Key
	if key == "" {
		key = "not sharded"
	}
	fmt.Fprintf(b, "%s %s\n", n.Name, key)
	for _, m := range n.Members {
		fmt.Fprintf(b, "  %-10s %-9s %-6s %-22s %8d documents, %d misplaced, %d orphans", m.Shard, m.Role, m.Datacenter, m.Host, m.Documents, m.Misplaced, m.Orphans)
		if m.Unknown > 0 {
			fmt.Fprintf(b, ", %d unknown", m.Unknown)
		}
		if m.OutsideAtMost != nil {
			fmt.Fprintf(b, "; a sample: at most %.3g %% outside their zone, with 95 %% confidence", 100**m.OutsideAtMost)
		}
		b.WriteString("\n")
	}
	for _, l := range n.Leftovers {
		fmt.Fprintf(b, "  %-10s %d orphans inside their zone or of no zone\n", l.Shard, l.Documents)
	}
	for _, e := range n.Examples {
		fmt.Fprintf(b, "  %-10s %s: _id %s, key %s belongs to zone %s, owned by %s, seen on %s\n", e.Shard, e.Kind, e.ID, e.Key, e.Zone, e.Owner, seenOn(e.Members))
	}
	for _, u := range n.Unknown {
		fmt.Fprintf(b, "  %-10s unknown value %s: %d documents\n", u.Shard, u.Value, u.Documents)
	}
}

func seenOn(hosts []string) string {
	if len(hosts) == 0 {
		return "the router"
	}
	return strings.Join(hosts, ", ")
}

func (r *Report) residencyText(b *strings.Builder) {
	for _, z := range r.Residency {
		fmt.Fprintf(b, "residency of %s:", z.Zone)
		if len(z.Holders) == 0 {
			b.WriteString(" no documents")
		}
		for i, h := range z.Holders {
			if i == 0 || h.Datacenter != z.Holders[i-1].Datacenter {
				fmt.Fprintf(b, " %s", place(h))
			}
		}
		if len(z.Allowed) > 0 {
			fmt.Fprintf(b, "; allowed %v", z.Allowed)
		}
		b.WriteString("\n")
		for _, h := range z.Violations {
			fmt.Fprintf(b, "  NOT ALLOWED: %d documents in %s, on %s of shard %s\n", h.Documents, place(h), h.Host, h.Shard)
		}
	}
}

func place(h Holder) string {
	if h.Datacenter == "" {
		return "nowhere (no tag dc)"
	}
	return string(h.Datacenter)
}
