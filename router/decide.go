package router

// healthy is what is known where nothing is.
var healthy = &Health{}

// Decide chooses the datacenter that serves a request. It allocates nothing. No health says that everything is well, no query refuses. Explain tells how it
// came to that.
func (t *Table) Decide(q *Query, h *Health) Decision {
	if q == nil {
		return Decision{Mode: Refuse, Reason: ReasonBadHandle}
	}
	if h == nil {
		h = healthy
	}
	up := t.serving &^ h.Down
	switch {
	case q.Unroutable != ReasonUnknown:
		return Decision{Mode: Refuse, Reason: q.Unroutable}
	case q.places():
		return t.place(q, h)
	case q.Home == "":
		return t.read(q, h, NoDC, up, false)
	}
	number := t.homes.zone(q.Home)
	if number < 0 {
		return Decision{Mode: Refuse, Reason: ReasonUnknownHome}
	}
	z := &t.zones[number]
	if q.Class == Read {
		return t.read(q, h, z.owner, z.readable(up), z.readOnly(h))
	}
	return t.write(q, h, z, up)
}

// places reports whether the request makes a record: a write that names none does as well.
func (q *Query) places() bool { return q.Class == New || q.Home == "" && q.Class != Read }

// write follows the primary.
func (t *Table) write(q *Query, h *Health, z *zone, up DCSet) Decision {
	switch primary := z.primary(h); {
	case primary == Electing:
		return hold(z.owner, ReasonElection)
	case primary == NoDC && h.Down.Has(z.owner):
		return hold(z.owner, ReasonOwnerDown)
	case primary == NoDC || primary == z.owner && up.Has(primary):
		return t.send(q, z.owner, z.owner, ReasonOwner)
	case up.Has(primary):
		return t.send(q, z.owner, primary, ReasonPrimary)
	}
	if to := t.nearest(q.Here, h, up); to != NoDC {
		return t.send(q, z.owner, to, ReasonDetour)
	}
	return hold(z.owner, ReasonNobody)
}

// primary is the datacenter where a zone's records can be written: home if one of its shards is led there or nobody knows (NoDC), else where the first
// shard is led that is led at all. A zone has one shard as a rule, and the shards of one are at home together.
func (z *zone) primary(h *Health) DC {
	found := Electing
	for _, s := range z.shards {
		switch p := h.primary(s); {
		case p == NoDC || p == z.owner:
			return p
		case found == Electing:
			found = p
		}
	}
	return found
}

// readOnly reports whether a zone's records cannot be written at the moment.
func (z *zone) readOnly(h *Health) bool {
	primary := z.primary(h)
	return primary == Electing || primary == NoDC && h.Down.Has(z.owner)
}

// readable are those of the datacenters that answer which have copies; without any, whoever answers reads across.
func (z *zone) readable(up DCSet) DCSet {
	if able := up & z.copies; able != 0 {
		return able
	}
	return up
}

// read stays here where it can. A read that names no record has no owner.
func (t *Table) read(q *Query, h *Health, owner DC, able DCSet, readOnly bool) Decision {
	switch to := t.nearest(q.Here, h, able); {
	case to == NoDC:
		return hold(owner, ReasonNobody)
	case readOnly:
		return Decision{To: to, Owner: owner, Mode: ReadOnly, Reason: ReasonReadOnly}
	case to == q.Here:
		return t.send(q, owner, to, ReasonRead)
	default:
		return t.send(q, owner, to, ReasonReadElsewhere)
	}
}

// hold waits for what a record's owner cannot do now.
func hold(owner DC, why Reason) Decision {
	return Decision{To: owner, Owner: owner, Mode: Wait, Reason: why}
}

// send serves the request in a datacenter.
func (t *Table) send(q *Query, owner, to DC, why Reason) Decision {
	d := Decision{To: to, Owner: owner, Mode: Forward, Reason: why}
	switch {
	case to == q.Here:
		d.Mode = Local
	case q.Redirect && t.endpoints[to] != "":
		d.Mode = Redirect
	}
	return d
}

// nearest is the datacenter of a set with the shortest round trip from here, the first of equals; NoDC for the empty set.
func (t *Table) nearest(here DC, h *Health, among DCSet) DC {
	if among.Has(here) {
		return here
	}
	best := NoDC
	for dc := range among.All {
		if best == NoDC || t.trip(here, dc, h) < t.trip(here, best, h) {
			best = dc
		}
	}
	return best
}
