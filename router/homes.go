package router

import (
	"slices"
	"strings"

	"github.com/geoshard/geoshard/topology"
)

// homes give a value of the zone key its zone, as the namespace declares it: a value or a range comes first, then the zone of the value's name, and
// what is left goes where the namespace says.
type homes struct {
	values  map[string]int // by number of zone
	ranges  []homeRange    // ascending, without overlap
	names   map[string]int
	unknown int // -1: refused
}

// A homeRange is [from, to); to is not looked at where the range is open.
type homeRange struct {
	from, to string
	open     bool
	zone     int
}

func homesOf(w *topology.Topology, ns topology.Namespace) homes {
	number := map[topology.ZoneID]int{}
	h := homes{values: map[string]int{}, names: map[string]int{}, unknown: -1}
	for i, z := range w.Zones {
		number[z.ID] = i
		if !ns.OnlyRanges {
			h.names[string(z.ID)] = i
		}
	}
	for _, r := range ns.Ranges {
		for _, v := range r.Values {
			h.values[v.Text()] = number[r.Zone]
		}
		if len(r.Values) > 0 {
			continue
		}
		made := homeRange{zone: number[r.Zone], open: r.To == nil}
		if r.From != nil {
			made.from = r.From.Text()
		}
		if r.To != nil {
			made.to = r.To.Text()
		}
		h.ranges = append(h.ranges, made)
	}
	slices.SortFunc(h.ranges, func(a, b homeRange) int { return strings.Compare(a.from, b.from) })
	if ns.Unknown == topology.UnknownToZone {
		h.unknown = number[ns.UnknownZone]
	}
	return h
}

// zone returns the number of a home's zone, or -1. Strings compare by their bytes, as in MongoDB's indexes.
func (h *homes) zone(home string) int {
	if z, ok := h.declared(home); ok {
		return z
	}
	return h.unknown
}

// declared returns the zone of a value that the namespace gives one.
func (h *homes) declared(home string) (int, bool) {
	if z, ok := h.values[home]; ok {
		return z, true
	}
	for _, r := range h.ranges {
		if home >= r.from && (r.open || home < r.to) {
			return r.zone, true
		}
	}
	z, ok := h.names[home]
	return z, ok
}

// example is a value of the zone: its own name, or else the first that the file gives it. It is empty for a zone without values.
func (h *homes) example(w *topology.Topology, id topology.ZoneID) string {
	number := slices.IndexFunc(w.Zones, func(z topology.Zone) bool { return z.ID == id })
	if z, ok := h.declared(string(id)); ok && z == number {
		return string(id)
	}
	var least string
	for value, z := range h.values {
		if z == number && (least == "" || value < least) {
			least = value
		}
	}
	if least != "" {
		return least
	}
	for _, r := range h.ranges {
		if r.zone == number && r.from != "" {
			return r.from
		}
	}
	return ""
}
