package router

import (
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/topology"
)

// homes are what placement says of the routed namespace, laid out for quick decisions.
type homes struct {
	values  map[string]int // by number of zone
	ranges  []topology.Range
	zones   []int // of the ranges
	unknown int   // -1: refused
}

func homesOf(w *topology.Topology, ns topology.Namespace) homes {
	number := map[topology.ZoneID]int{}
	for i, z := range w.Zones {
		number[z.ID] = i
	}
	h := homes{values: map[string]int{}, unknown: -1}
	for _, r := range placement.RangesOf(w, ns) {
		for _, v := range r.Values {
			h.values[v.Text()] = number[r.Zone]
		}
		if len(r.Values) == 0 {
			h.ranges, h.zones = append(h.ranges, r), append(h.zones, number[r.Zone])
		}
	}
	if ns.Unknown == topology.UnknownToZone {
		h.unknown = number[ns.UnknownZone]
	}
	return h
}

// zone returns the number of a home's zone, or -1.
func (h *homes) zone(home string) int {
	if z := h.declared(home); z >= 0 {
		return z
	}
	return h.unknown
}

// declared returns the zone of a value that the namespace gives one, or -1.
func (h *homes) declared(home string) int {
	if z, ok := h.values[home]; ok {
		return z
	}
	if i := placement.Find(h.ranges, topology.StringOf(home)); i >= 0 {
		return h.zones[i]
	}
	return -1
}

// example is a value of a zone: its own name, or else the first that the file gives it. It is empty for a zone without values.
func (h *homes) example(id topology.ZoneID, number int) string {
	if h.declared(string(id)) == number {
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
	for i, r := range h.ranges {
		if h.zones[i] == number && r.From != nil {
			return r.From.Text()
		}
	}
	return ""
}
