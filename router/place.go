package router

import (
	"time"

	"github.com/geoshard/geoshard/topology"
)

// place chooses the home of a new record: the nearest healthy datacenter by the first rule that can tell. It is served there even while the shard is led
// elsewhere, and waits for an election there: a record lives longer than those. It does not wait where no election succeeds.
func (t *Table) place(q *Query, h *Health, tr *trace) Decision {
	open := t.placeable &^ h.Down
	if led := open &^ h.Leaderless; led != 0 {
		open = led
	}
	tr.open(t, h, open)
	to, why := t.choose(q, h, open, tr)
	if to == NoDC {
		return Decision{Mode: Wait, Reason: ReasonNobody}
	}
	d := Decision{Owner: to}
	if z := &t.zones[t.newZone[to]]; z.primary(h) == Electing {
		tr.election(t, z)
		d.To, d.Mode, d.Reason = to, Wait, ReasonElection
		return d
	}
	t.send(&d, q, to, why)
	return d
}

func (t *Table) choose(q *Query, h *Health, open DCSet, tr *trace) (DC, Reason) {
	if open == 0 {
		return NoDC, ReasonNobody
	}
	if to := t.explicit(q, open); tr.tried(t, "explicit choice", q.Explicit, to) {
		return to, ReasonExplicit
	}
	to, why := t.byCountry(q, open)
	if tr.tried(t, "country", q.Country, to) {
		return to, why
	}
	if q.HasPlace {
		to = t.byPlace(q, open)
		tr.place(t, q, to)
		if to != NoDC {
			return to, ReasonDistance
		}
	}
	if t.serving.Has(q.Here) {
		to = t.nearest(q.Here, h, open)
		tr.trip(t, q, h, to)
		return to, ReasonRTT
	}
	to = t.declaredNearest(t.fallback, open)
	tr.fallback(t, to)
	return to, ReasonDefault
}

// explicit is the chosen datacenter, or the nearest to it while it is down. Whoever chooses what is no active datacenter has not chosen.
func (t *Table) explicit(q *Query, open DCSet) DC {
	chosen := t.DC(topology.DatacenterID(q.Explicit))
	if !t.placeable.Has(chosen) {
		return NoDC
	}
	return t.declaredNearest(chosen, open)
}

// byCountry is the datacenter that lists the country, or the nearest to the country's middle by the great circle.
func (t *Table) byCountry(q *Query, open DCSet) (DC, Reason) {
	i := countryIndex(q.Country)
	if i < 0 {
		return NoDC, ReasonUnknown
	}
	c := &t.country[i]
	switch {
	case open.Has(c.listed):
		return c.listed, ReasonCountry
	case c.known && open&t.located != 0:
		return t.nearestTo(c.at, open), ReasonCountryDistance
	case c.listed != NoDC:
		return t.declaredNearest(c.listed, open), ReasonCountryDistance
	}
	return NoDC, ReasonUnknown
}

// byPlace is the datacenter nearest to the client's position. NaN, and what is no place on Earth, is none.
func (t *Table) byPlace(q *Query, open DCSet) DC {
	if !(q.Lat >= -90 && q.Lat <= 90 && q.Long >= -180 && q.Long <= 180) {
		return NoDC
	}
	return t.nearestTo(pointAt(q.Lat, q.Long), open)
}

// nearestTo is the datacenter of a set that is nearest by the great circle; NoDC if none of them has a position.
func (t *Table) nearestTo(p point, among DCSet) DC {
	best, nearness := NoDC, -2.0
	for dc := DC(1); int(dc) < len(t.ids); dc++ {
		if among.Has(dc) && t.located.Has(dc) {
			if n := p.nearness(t.at[dc]); n > nearness {
				best, nearness = dc, n
			}
		}
	}
	return best
}

// declaredNearest is dc itself, or else the one with the shortest declared round trip.
func (t *Table) declaredNearest(dc DC, among DCSet) DC {
	return t.nearest(dc, &Health{}, among)
}

// trip is the round trip between two datacenters: measured from here, else as declared.
func (t *Table) trip(from, to DC, h *Health) time.Duration {
	if int(to) < len(h.RTT) && h.RTT[to] > 0 {
		return h.RTT[to]
	}
	return t.rtt[from][to]
}
