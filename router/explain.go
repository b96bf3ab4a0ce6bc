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
	if q == nil {
		q = &Query{Unroutable: ReasonBadHandle}
	}
	if h == nil {
		h = healthy
	}
	e := &explanation{Table: t, q: q, h: h, d: t.Decide(q, h)}
	e.request()
	switch {
	case q.Unroutable == ReasonBadHandle:
		e.add("handle", "what the request names is neither HOME.ID nor an identifier")
	case q.Unroutable != ReasonUnknown:
		e.add("handle", "the request has the bare identifier, and nobody can look up the home")
	case q.places():
		e.placed()
	case q.Home == "":
		e.served("is the nearest whose application answers")
	default:
		e.existing()
	}
	e.decision()
	return e.d, e.steps
}

// An explanation collects the steps of a decision that was made.
type explanation struct {
	*Table
	q     *Query
	h     *Health
	d     Decision
	steps []Step
}

func (e *explanation) add(rule, format string, args ...any) {
	e.steps = append(e.steps, Step{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

func (e *explanation) request() {
	class, subject := e.q.Class.String(), "that names no record"
	switch {
	case e.q.Unroutable != ReasonUnknown:
		subject = "for a record that cannot be found"
	case e.q.Class == New:
		class, subject = "write", "that makes a record"
	case e.q.Home != "":
		subject = fmt.Sprintf("for a record whose home is %q", e.q.Home)
	}
	where := "outside the datacenters"
	if e.serving.Has(e.q.Here) {
		where = "at " + string(e.ids[e.q.Here])
	}
	e.add("request", "a %s %s arrives %s", class, subject, where)
}

// existing tells of a request for a record that has its home.
func (e *explanation) existing() {
	number, from := e.homes.zone(e.q.Home), ""
	if e.q.Source != SourceUnknown {
		from = ", from the " + e.q.Source.String() + ","
	}
	if number < 0 {
		e.add("home", "%q%s is a value of no zone, and %s sends such records nowhere", e.q.Home, from, e.namespace)
		return
	}
	z := &e.zones[number]
	how := "belongs to"
	if e.homes.declared(e.q.Home) < 0 {
		how = "is a value of no zone, so it goes to"
	}
	e.add("home", "%q%s %s zone %s: %s owns it", e.q.Home, from, how, z.id, e.ids[z.owner])
	up := e.serving &^ e.h.Down
	if e.q.Class != Read {
		e.led(z)
		if e.d.Reason == ReasonDetour || e.d.Reason == ReasonNobody {
			e.add("health", "the application in %s does not answer; the nearest that does is %s", e.ids[z.primary(e.h)], e.name(e.nearest(e.q.Here, e.h, up)))
		}
		return
	}
	e.add("copies", "the records of zone %s have copies in %s; of the applications answer %s", z.id, e.names(z.copies), e.names(up))
	e.served("is the nearest that can serve the read")
	if z.readOnly(e.h) {
		e.add("primary", "%s cannot be written at the moment", e.shardNames(z))
	}
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

// led tells where the records of a zone can be written.
func (e *explanation) led(z *zone) {
	owner, shards := e.ids[z.owner], e.shardNames(z)
	switch primary := z.primary(e.h); {
	case primary == Electing:
		e.add("primary", "%s has no primary: an election is under way", shards)
	case primary == NoDC && e.h.Down.Has(z.owner):
		e.add("primary", "%s is lost, and where the primary of %s went is not known yet", owner, shards)
	case primary == NoDC:
		e.add("primary", "%s is taken to be led at home, in %s", shards, owner)
	case primary == z.owner:
		e.add("primary", "%s is led at home, in %s", shards, owner)
	default:
		e.add("primary", "%s is led in %s, away from home", shards, e.ids[primary])
	}
}

// name is a datacenter in a sentence.
func (t *Table) name(dc DC) string { return t.names(DCSet(0).With(dc)) }

// names lists the datacenters of a set.
func (t *Table) names(set DCSet) string {
	var names []string
	for dc := range set.All {
		names = append(names, string(t.ids[dc]))
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// served tells who serves a read, if anybody does.
func (e *explanation) served(elsewhere string) {
	if e.d.Reason == ReasonNobody {
		return
	}
	how := elsewhere
	if e.d.To == e.q.Here {
		how = "serves the read itself"
	}
	e.add("read", "%s %s", e.ids[e.d.To], how)
}

// placed tells of the rules for new records, up to the one that decided.
func (e *explanation) placed() {
	q, open := e.q, e.open(e.h)
	text := "new records go to active datacenters that answer: " + e.names(open)
	if lost := e.placeable & e.h.Down; lost != 0 {
		text += "; not to " + e.names(lost)
	}
	if without := e.placeable & e.h.Leaderless &^ e.h.Down; without != 0 {
		text += "; without a primary for too long: " + e.names(without)
	}
	e.add("health", "%s", text)
	to, why := e.choose(q, e.h, open)
	if to == NoDC {
		return
	}
	e.tried("explicit choice", q.Explicit, to, why == ReasonExplicit)
	if why > ReasonExplicit {
		e.tried("country", q.Country, to, why <= ReasonCountryDistance)
	}
	if why > ReasonDistance && q.HasPlace {
		e.add("position", "[%g, %g] decides nothing", q.Lat, q.Long)
	}
	switch {
	case why == ReasonDistance:
		e.add("position", "of the datacenters that answer, %s is nearest to [%g, %g] by the great circle", e.ids[to], q.Lat, q.Long)
	case why == ReasonRTT && to == q.Here:
		e.add("round trip", "%s is where the client came in", e.ids[to])
	case why == ReasonRTT:
		e.add("round trip", "from %s, the nearest is %s, %v away", e.ids[q.Here], e.ids[to], e.trip(q.Here, to, e.h))
	case why == ReasonDefault && to == e.fallback:
		e.add("default", "%s takes what nothing else places", e.ids[to])
	case why == ReasonDefault:
		e.add("default", "%s takes what nothing else places and does not answer; the nearest to it is %s", e.ids[e.fallback], e.ids[to])
	}
	if e.d.Reason == ReasonElection {
		e.led(&e.zones[e.newZone[to]])
	}
}

// tried tells what a rule made of a word.
func (e *explanation) tried(rule, word string, to DC, decided bool) {
	switch {
	case word == "":
		e.add(rule, "none is known")
	case !decided:
		e.add(rule, "%q decides nothing", word)
	default:
		e.add(rule, "%s leads to %s", word, e.ids[to])
	}
}

func (e *explanation) decision() {
	to := e.name(e.d.To)
	text := map[Mode]string{
		Local: to + " serves it, here", Forward: "forward to " + to, Redirect: "redirect to " + to, ReadOnly: "read in " + to + ", whatever its age",
		Wait: "hold it until a datacenter can serve it", Refuse: "refuse it",
	}[e.d.Mode]
	e.add("decision", "%s (mode %s, reason %s)", text, e.d.Mode, e.d.Reason)
}
