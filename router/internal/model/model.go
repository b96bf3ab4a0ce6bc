// Package model is the router's rules once more, word by word and without any cleverness, to check the router by. It is written from the article's
// description of the cart router (a new cart: the session goes to the closest datacenter, and the cart belongs there; an existing cart: its data center
// decides) and from the rules for failures in docs. It takes plain values and imports nothing of the module, so it shares no mistake with what it checks.
package model

import (
	"math"
	"slices"
)

// A World is what is declared.
type World struct {
	Datacenters []Datacenter
	Zones       []Zone
	// RTT is the declared round trip between two datacenters, in any unit.
	RTT map[[2]string]float64
	// Default takes new records that nothing else places; "" = the first that takes new records.
	Default string
	// ZoneOf gives a home its zone; "" = none.
	ZoneOf func(home string) string
	// Points are the middles of the countries.
	Points map[string][2]float64
}

// A Datacenter is one place.
type Datacenter struct {
	Name          string
	Active, Voter bool
	// At is nil for a place without coordinates.
	At        *[2]float64
	Countries []string
	Gateway   bool
	// TakesNew: it owns a zone, and is active.
	TakesNew bool
	// NewZone is the zone of the records that are made there.
	NewZone string
}

// A Zone is a group of records.
type Zone struct {
	Name, Owner string
	Shards      []string
	// Copies are the datacenters that hold all its records.
	Copies []string
}

// A State is what is known of the world.
type State struct {
	Down map[string]bool
	// Leaderless are datacenters whose shards have had no primary for too long to wait for.
	Leaderless map[string]bool
	// Primary is where a shard is led: a datacenter, "none", or "" for not known.
	Primary map[string]string
	// RTT is the measured round trip from here; 0 = not measured.
	RTT map[string]float64
}

// A Request is a request.
type Request struct {
	Here                    string
	Kind                    string // read, write, new
	Redirect                bool
	Home, Explicit, Country string
	Unroutable              string // why no record can be found; "" = it can
	Place                   *[2]float64
}

// An Answer says who serves it.
type Answer struct{ To, Owner, Mode, Reason string }

// Decide answers a request.
func Decide(w World, s State, r Request) Answer {
	switch {
	case r.Unroutable != "":
		return Answer{Mode: "refuse", Reason: r.Unroutable}
	case r.Kind == "new", r.Kind == "write" && r.Home == "":
		return place(w, s, r)
	case r.Home == "":
		return reading(w, s, r, nil)
	}
	var zone *Zone
	for i := range w.Zones {
		if w.Zones[i].Name == w.ZoneOf(r.Home) {
			zone = &w.Zones[i]
		}
	}
	if zone == nil {
		return Answer{Mode: "refuse", Reason: "unknown-home"}
	}
	if r.Kind == "read" {
		return reading(w, s, r, zone)
	}
	return writing(w, s, r, *zone)
}

// writing: the owner, as long as its shard is led there or nobody knows better; else where the shard is led; else wait.
func writing(w World, s State, r Request, z Zone) Answer {
	led := leader(s, z)
	switch {
	case led == "none":
		return Answer{z.Owner, z.Owner, "wait", "election"}
	case led == "" && s.Down[z.Owner]:
		return Answer{z.Owner, z.Owner, "wait", "owner-down"}
	case led == "", led == z.Owner && !s.Down[led]:
		return serve(w, r, z.Owner, z.Owner, "owner")
	case serving(w, s, led):
		return serve(w, r, led, z.Owner, "primary")
	}
	to := closest(w, s, r.Here, among(w, func(d Datacenter) bool { return serving(w, s, d.Name) }), true)
	if to == "" {
		return Answer{z.Owner, z.Owner, "wait", "nobody"}
	}
	return serve(w, r, to, z.Owner, "detour")
}

// leader is where a zone's records can be written: home if any shard may be led there, else where the first one is that is led.
func leader(s State, z Zone) string {
	for _, shard := range z.Shards {
		if p := s.Primary[shard]; p == "" || p == z.Owner {
			return p
		}
	}
	for _, shard := range z.Shards {
		if p := s.Primary[shard]; p != "none" {
			return p
		}
	}
	return "none"
}

// reading: here if here has an application that answers and a copy, else the closest that has.
func reading(w World, s State, r Request, z *Zone) Answer {
	able := among(w, func(d Datacenter) bool {
		return serving(w, s, d.Name) && (z == nil || slices.Contains(z.Copies, d.Name))
	})
	if len(able) == 0 {
		able = among(w, func(d Datacenter) bool { return serving(w, s, d.Name) })
	}
	owner := ""
	if z != nil {
		owner = z.Owner
	}
	to := closest(w, s, r.Here, able, true)
	switch {
	case to == "":
		return Answer{owner, owner, "wait", "nobody"}
	case z != nil && (leader(s, *z) == "none" || leader(s, *z) == "" && s.Down[owner]):
		return Answer{to, owner, "read-only", "read-only"}
	case to == r.Here:
		return Answer{to, owner, "local", "read"}
	default:
		return serve(w, r, to, owner, "read-elsewhere")
	}
}

// place: the closest healthy datacenter to the client, as exactly as the client's place is known.
func place(w World, s State, r Request) Answer {
	open := among(w, func(d Datacenter) bool { return d.TakesNew && !s.Down[d.Name] })
	if len(open) == 0 {
		return Answer{Mode: "wait", Reason: "nobody"}
	}
	if led := slices.DeleteFunc(slices.Clone(open), func(d Datacenter) bool { return s.Leaderless[d.Name] }); len(led) > 0 {
		open = led
	}
	to, why := where(w, s, r, open)
	if zone := w.Zones[slices.IndexFunc(w.Zones, func(z Zone) bool { return z.Name == datacenter(w, to).NewZone })]; leader(s, zone) == "none" {
		return Answer{to, to, "wait", "election"}
	}
	return serve(w, r, to, to, why)
}

func where(w World, s State, r Request, open []Datacenter) (to, why string) {
	if chosen := datacenter(w, r.Explicit); chosen.TakesNew {
		return closest(w, s, chosen.Name, open, false), "explicit"
	}
	if len(r.Country) == 2 {
		listed := ""
		for _, d := range w.Datacenters {
			if slices.Contains(d.Countries, r.Country) {
				listed = d.Name
			}
		}
		if has(open, listed) {
			return listed, "country"
		}
		if p, ok := w.Points[r.Country]; ok {
			if to := nearest(open, p); to != "" {
				return to, "country-distance"
			}
		}
		if listed != "" {
			return closest(w, s, listed, open, false), "country-distance"
		}
	}
	if r.Place != nil && math.Abs(r.Place[0]) <= 90 && math.Abs(r.Place[1]) <= 180 {
		if to := nearest(open, *r.Place); to != "" {
			return to, "distance"
		}
	}
	if here := datacenter(w, r.Here); here.Name != "" && !here.Voter {
		return closest(w, s, r.Here, open, true), "rtt"
	}
	fallback := w.Default
	if fallback == "" {
		fallback = among(w, func(d Datacenter) bool { return d.TakesNew })[0].Name
	}
	return closest(w, s, fallback, open, false), "default"
}

func serve(w World, r Request, to, owner, why string) Answer {
	mode := "forward"
	switch {
	case to == r.Here:
		mode = "local"
	case r.Redirect && datacenter(w, to).Gateway:
		mode = "redirect"
	}
	return Answer{to, owner, mode, why}
}

func datacenter(w World, name string) Datacenter {
	for _, d := range w.Datacenters {
		if d.Name == name {
			return d
		}
	}
	return Datacenter{}
}

func among(w World, ok func(Datacenter) bool) []Datacenter {
	var list []Datacenter
	for _, d := range w.Datacenters {
		if ok(d) {
			list = append(list, d)
		}
	}
	return list
}

func has(list []Datacenter, name string) bool {
	return slices.ContainsFunc(list, func(d Datacenter) bool { return d.Name == name })
}

func serving(w World, s State, name string) bool {
	return !s.Down[name] && name != "" && !datacenter(w, name).Voter
}

// closest is from itself if it is in the list, else the one with the shortest round trip, the first of equals.
func closest(w World, s State, from string, list []Datacenter, measured bool) string {
	if has(list, from) {
		return from
	}
	best, trip := "", math.Inf(1)
	for _, d := range list {
		t := w.RTT[[2]string{from, d.Name}]
		if m := s.RTT[d.Name]; measured && m > 0 {
			t = m
		}
		if t < trip {
			best, trip = d.Name, t
		}
	}
	return best
}

// nearest is the one whose great circle to a place is the shortest, by the haversine formula; "" if none has a place.
func nearest(list []Datacenter, p [2]float64) string {
	best, least := "", math.Inf(1)
	for _, d := range list {
		if d.At == nil {
			continue
		}
		rad := math.Pi / 180
		a := math.Pow(math.Sin((d.At[0]-p[0])*rad/2), 2) + math.Cos(d.At[0]*rad)*math.Cos(p[0]*rad)*math.Pow(math.Sin((d.At[1]-p[1])*rad/2), 2)
		if km := 2 * 6371 * math.Asin(math.Sqrt(min(1, a))); km < least {
			best, least = d.Name, km
		}
	}
	return best
}
