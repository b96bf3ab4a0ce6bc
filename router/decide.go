package router

// Decide chooses the datacenter that serves a request. It allocates nothing.
func (t *Table) Decide(q *Query, h *Health) Decision { return t.decide(q, h, nil) }

func (t *Table) decide(q *Query, h *Health, tr *trace) Decision {
	switch {
	case q.Class == New || q.Home == "" && q.Class != Read:
		return t.place(q, h, tr)
	case q.Home == "":
		return t.readAnything(q, h, tr)
	}
	number := t.homes.zone(q.Home)
	tr.home(t, q, number)
	if number < 0 {
		return Decision{Mode: Refuse, Reason: ReasonUnknownHome}
	}
	z := &t.zones[number]
	if q.Class == Read {
		return t.read(q, h, z, tr)
	}
	return t.write(q, h, z, tr)
}

// write follows the primary.
func (t *Table) write(q *Query, h *Health, z *zone, tr *trace) Decision {
	d := Decision{Owner: z.owner}
	primary := z.primary(h)
	tr.primary(t, h, z, primary)
	up := t.serving &^ h.Down
	switch {
	case primary == Electing:
		d.To, d.Mode, d.Reason = z.owner, Wait, ReasonElection
	case primary == NoDC && h.Down.Has(z.owner):
		d.To, d.Mode, d.Reason = z.owner, Wait, ReasonOwnerDown
	case primary == NoDC || primary == z.owner && up.Has(primary):
		t.send(&d, q, z.owner, ReasonOwner)
	case up.Has(primary):
		t.send(&d, q, primary, ReasonPrimary)
	default:
		to := t.nearest(q.Here, h, up)
		tr.detour(t, primary, to)
		if to == NoDC {
			d.To, d.Mode, d.Reason = z.owner, Wait, ReasonNobody
			break
		}
		t.send(&d, q, to, ReasonDetour)
	}
	return d
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

// read stays here where it can.
func (t *Table) read(q *Query, h *Health, z *zone, tr *trace) Decision {
	d := Decision{Owner: z.owner}
	primary := z.primary(h)
	readOnly := primary == Electing || primary == NoDC && h.Down.Has(z.owner)
	up := t.serving &^ h.Down
	able := up & z.copies
	if able == 0 { // whoever answers reads across
		able = up
	}
	to := q.Here
	if !able.Has(to) {
		to = t.nearest(q.Here, h, able)
	}
	tr.read(t, q, h, z, to, readOnly)
	switch {
	case to == NoDC:
		d.To, d.Mode, d.Reason = z.owner, Wait, ReasonNobody
	case readOnly:
		d.To, d.Mode, d.Reason = to, ReadOnly, ReasonReadOnly
	case to == q.Here:
		d.To, d.Mode, d.Reason = to, Local, ReasonRead
	default:
		t.send(&d, q, to, ReasonReadElsewhere)
	}
	return d
}

// readAnything serves a read that names no record.
func (t *Table) readAnything(q *Query, h *Health, tr *trace) Decision {
	var d Decision
	up := t.serving &^ h.Down
	to := q.Here
	if !up.Has(to) {
		to = t.nearest(q.Here, h, up)
	}
	tr.anything(t, q, to)
	switch {
	case to == NoDC:
		d.Mode, d.Reason = Wait, ReasonNobody
	case to == q.Here:
		d.To, d.Mode, d.Reason = to, Local, ReasonRead
	default:
		t.send(&d, q, to, ReasonReadElsewhere)
	}
	return d
}

// send serves the request in a datacenter.
func (t *Table) send(d *Decision, q *Query, to DC, why Reason) {
	d.To, d.Reason = to, why
	switch {
	case to == q.Here:
		d.Mode = Local
	case q.Redirect && t.endpoints[to] != "":
		d.Mode = Redirect
	default:
		d.Mode = Forward
	}
}

// nearest is the datacenter of a set with the shortest round trip from here, the first of equals; NoDC for the empty set.
func (t *Table) nearest(here DC, h *Health, among DCSet) DC {
	if among.Has(here) {
		return here
	}
	best := NoDC
	for dc := DC(1); int(dc) < len(t.ids); dc++ {
		if among.Has(dc) && (best == NoDC || t.trip(here, dc, h) < t.trip(here, best, h)) {
			best = dc
		}
	}
	return best
}
