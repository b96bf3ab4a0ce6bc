package router

import (
	"time"

	"github.com/geoshard/geoshard/topology"
)

// place chooses the home of a new record: the nearest healthy datacenter by the first rule that can tell. It is served there even while the shard is led
// elsewhere, and waits for an election there: a record lives longer than those. It does not wait where no election succeeds.
func (t *Table) place(q *Query, h *Health) Decision {
	switch to, why := t.choose(q, h, t.open(h)); {
	case to == NoDC:
		return hold(to, why)
	case t.zones[t.newZone[to]].primary(h) == Electing:
		return hold(to, ReasonElection)
	default:
		return t.send(q, to, to, why)
	}
}

// open are the datacenters for new records.
func (t *Table) open(h *Health) DCSet {
	open := t.placeable &^ h.Down
	if led := open &^ h.Leaderless; led != 0 {
		return led
	}
	return open
}

func (t *Table) choose(q *Query, h *Health, open DCSet) (DC, Reason) {
	if open == 0 {
		return NoDC, ReasonNobody
	}
	if to := t.explicit(q, open); to != NoDC {
		return to, ReasonExplicit
	}
	if to, why := t.byCountry(q, open); to != NoDC {
		return to, why
	}
	if to := t.byPlace(q, open); to != NoDC {
		return to, ReasonDistance
	}
	if t.serving.Has(q.Here) {
		return t.nearest(q.Here, h, open), ReasonRTT
	}
	return t.declaredNearest(t.fallback, open), ReasonDefault
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

// byPlace is the datacenter nearest to the client's position, if one is known. NaN, and what is no place on Earth, is none.
func (t *Table) byPlace(q *Query, open DCSet) DC {
	if !(q.HasPlace && q.Lat >= -90 && q.Lat <= 90 && q.Long >= -180 && q.Long <= 180) {
		return NoDC
	}
	return t.nearestTo(pointAt(q.Lat, q.Long), open)
}

// nearestTo is the datacenter of a set that is nearest by the great circle; NoDC if none of them has a position.
func (t *Table) nearestTo(p point, among DCSet) DC {
	best, nearness := NoDC, -2.0
	for dc := range (among & t.located).All {
		if n := p.nearness(t.at[dc]); n > nearness {
			best, nearness = dc, n
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
	if measured := at(h.RTT, to); measured > 0 {
		return measured
	}
	return t.rtt[from][to]
}
