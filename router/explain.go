package router

import (
	"fmt"
	"strings"
)

// A Step is one thing that a decision looked at.
type Step struct {
	// Rule is what was looked at, in a word or two.
	Rule string `json:"rule"`
	// Text is what it found, in a sentence.
	Text string `json:"text"`
}

// Explain makes the same decision as Decide and tells each step that led to it.
func (t *Table) Explain(q *Query, h *Health) (Decision, []Step) {
	tr := &trace{}
	tr.begin(t, q)
	d := t.decide(q, h, tr)
	tr.end(t, d)
	return d, tr.steps
}

// A trace collects steps. A nil trace collects none: its methods take values as they are, so that a decision without one allocates nothing.
type trace struct{ steps []Step }

func (tr *trace) add(rule, format string, args ...any) {
	tr.steps = append(tr.steps, Step{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

func (tr *trace) begin(t *Table, q *Query) {
	subject := "that names no record"
	switch {
	case q.Class == New:
		subject = "that makes a record"
	case q.Home != "":
		subject = fmt.Sprintf("for a record whose home is %q", q.Home)
	}
	at := "outside the datacenters"
	if t.serving.Has(q.Here) {
		at = "at " + string(t.ids[q.Here])
	}
	tr.add("request", "a %s %s arrives %s", class(q.Class), subject, at)
}

func class(c Class) string {
	if c == New {
		return "write"
	}
	return c.String()
}

func (tr *trace) home(t *Table, q *Query, zone int) {
	if tr == nil {
		return
	}
	from := ""
	if q.Source != SourceUnknown {
		from = ", from the " + q.Source.String() + ","
	}
	if zone < 0 {
		tr.add("home", "%q%s is a value of no zone, and %s sends such records nowhere", q.Home, from, t.namespace)
		return
	}
	z := t.zones[zone]
	how := "belongs to"
	if _, declared := t.homes.declared(q.Home); !declared {
		how = "is a value of no zone, so it goes to"
	}
	tr.add("home", "%q%s %s zone %s: %s owns it", q.Home, from, how, z.id, t.ids[z.owner])
}

// shardNames names the shards of a zone.
func (t *Table) shardNames(z *zone) string {
	names := make([]string, len(z.shards))
	for i, s := range z.shards {
		names[i] = string(t.shards[s])
	}
	if len(names) == 1 {
		return "shard " + names[0]
	}
	return "shards " + strings.Join(names, ", ")
}

func (tr *trace) primary(t *Table, h *Health, z *zone, primary DC) {
	if tr == nil {
		return
	}
	owner := t.ids[z.owner]
	switch {
	case primary == Electing:
		tr.add("primary", "%s has no primary: an election is under way", t.shardNames(z))
	case primary == NoDC && h.Down.Has(z.owner):
		tr.add("primary", "%s is lost, and where the primary of %s went is not known yet", owner, t.shardNames(z))
	case primary == NoDC:
		tr.add("primary", "%s is taken to be led at home, in %s", t.shardNames(z), owner)
	case primary == z.owner:
		tr.add("primary", "%s is led at home, in %s", t.shardNames(z), owner)
	default:
		tr.add("primary", "%s is led in %s, away from home", t.shardNames(z), t.ids[primary])
	}
}

func (tr *trace) detour(t *Table, primary, to DC) {
	if tr == nil {
		return
	}
	tr.add("health", "the application in %s does not answer; the nearest that does is %s", t.ids[primary], t.name(to))
}

// name is a datacenter in a sentence.
func (t *Table) name(dc DC) string {
	if dc == NoDC {
		return "none"
	}
	return string(t.ids[dc])
}

// names lists the datacenters of a set.
func (t *Table) names(set DCSet) string {
	var names []string
	for _, dc := range t.DCs() {
		if set.Has(dc) {
			names = append(names, string(t.ids[dc]))
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (tr *trace) read(t *Table, q *Query, h *Health, z *zone, to DC, readOnly bool) {
	if tr == nil {
		return
	}
	tr.add("copies", "the records of zone %s have copies in %s; of the applications answer %s", z.id, t.names(z.copies), t.names(t.serving&^h.Down))
	switch {
	case to == NoDC:
	case to == q.Here:
		tr.add("read", "%s serves the read itself", t.ids[to])
	default:
		tr.add("read", "%s is the nearest that can serve the read", t.ids[to])
	}
	if readOnly {
		tr.add("primary", "%s cannot be written at the moment", t.shardNames(z))
	}
}

func (tr *trace) anything(t *Table, q *Query, to DC) {
	if tr == nil || to == NoDC {
		return
	}
	if to == q.Here {
		tr.add("read", "%s serves the read itself", t.ids[to])
		return
	}
	tr.add("read", "%s is the nearest whose application answers", t.ids[to])
}

func (tr *trace) open(t *Table, h *Health, open DCSet) {
	if tr == nil {
		return
	}
	text := fmt.Sprintf("new records go to active datacenters that answer: %s", t.names(open))
	if lost := t.placeable & h.Down; lost != 0 {
		text += "; not to " + t.names(lost)
	}
	if without := t.placeable & h.Leaderless &^ h.Down; without != 0 {
		text += "; without a primary for too long: " + t.names(without)
	}
	tr.add("health", "%s", text)
}

// tried tells what a rule made of a word, and reports whether it decided.
func (tr *trace) tried(t *Table, rule, word string, to DC) bool {
	switch {
	case tr == nil:
	case word == "":
		tr.add(rule, "none is known")
	case to == NoDC:
		tr.add(rule, "%q decides nothing", word)
	default:
		tr.add(rule, "%s leads to %s", word, t.ids[to])
	}
	return to != NoDC
}

func (tr *trace) place(t *Table, q *Query, to DC) {
	switch {
	case tr == nil:
	case to == NoDC:
		tr.add("position", "[%g, %g] decides nothing", q.Lat, q.Long)
	default:
		tr.add("position", "of the datacenters that answer, %s is nearest to [%g, %g] by the great circle", t.ids[to], q.Lat, q.Long)
	}
}

func (tr *trace) trip(t *Table, q *Query, h *Health, to DC) {
	switch {
	case tr == nil:
	case to == q.Here:
		tr.add("round trip", "%s is where the client came in", t.ids[to])
	default:
		tr.add("round trip", "from %s, the nearest is %s, %v away", t.ids[q.Here], t.ids[to], t.trip(q.Here, to, h))
	}
}

func (tr *trace) fallback(t *Table, to DC) {
	switch {
	case tr == nil:
	case to == t.fallback:
		tr.add("default", "%s takes what nothing else places", t.ids[to])
	default:
		tr.add("default", "%s takes what nothing else places and does not answer; the nearest to it is %s", t.ids[t.fallback], t.ids[to])
	}
}

func (tr *trace) election(t *Table, z *zone) {
	if tr == nil {
		return
	}
	tr.add("primary", "%s has no primary: an election is under way", t.shardNames(z))
}

func (tr *trace) end(t *Table, d Decision) {
	to := t.name(d.To)
	text := map[Mode]string{
		Local: to + " serves it, here", Forward: "forward to " + to, Redirect: "redirect to " + to, ReadOnly: "read in " + to + ", whatever its age",
		Wait: "hold it until a datacenter can serve it", Refuse: "refuse it",
	}[d.Mode]
	tr.add("decision", "%s (mode %s, reason %s)", text, d.Mode, d.Reason)
}
