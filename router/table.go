package router

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A Table is the declared world as decisions need it. It does not change and is safe for concurrent use.
type Table struct {
	namespace string
	ids       []topology.DatacenterID // by DC; the first is empty
	shards    []topology.ShardID
	serving   DCSet // run the application: all but voters
	placeable DCSet // active, and the owner of a zone: new records may be placed there
	homes     homes
	zones     []zone
	newHome   []string // by DC
	newZone   []int    // by DC, where newHome is not empty
	fallback  DC

	rtt     [][]time.Duration // declared, by DC and DC
	at      []point           // by DC
	located DCSet             // have a position
	country [26 * 26]countryEntry

	upstreams [][]string // by DC
	endpoints []string   // by DC
	routes    []route
	trusted   []netip.Prefix
	settings  topology.Router // with defaults
}

// A zone is where a record's zone says that it is.
type zone struct {
	id     topology.ZoneID
	owner  DC
	shards []uint16
	copies DCSet // hold all its documents
}

// NewTable makes the table of a world. A world without a router section is taken with the defaults. The error is an *topology.Errors for a world
// that does not say how to route, or says it twice: see topology.Router. Of no world it wraps topology.ErrInvalid.
func NewTable(world *topology.Topology) (*Table, error) {
	if world == nil {
		return nil, hint.New(fmt.Errorf("make routing table: %w: it is nil", topology.ErrInvalid), "take what topology.Load or topology.Parse returns")
	}
	w := *world
	if w.Router == nil {
		w.Router = &topology.Router{}
	}
	if err := w.Validate(); err != nil {
		return nil, fmt.Errorf("make routing table: %w", err)
	}
	ns, _ := w.RoutedNamespace() // Validate has seen it
	if len(w.Datacenters) > maxDCs {
		return nil, hint.New(fmt.Errorf("no routing table for %d datacenters", len(w.Datacenters)), fmt.Sprintf("have at most %d", maxDCs))
	}
	t := &Table{namespace: ns.Name, settings: withDefaults(*w.Router)}
	t.places(&w)
	t.distances(&w)
	t.zonesOf(&w, ns)
	t.requests(&w)
	return t, nil
}

// withDefaults replaces zero values.
func withDefaults(r topology.Router) topology.Router {
	if r.Handle == nil {
		r.Handle = topology.DefaultHandle()
	}
	if r.Cookie.Name == "" {
		r.Cookie.Name = topology.DefaultCookieName
	}
	if r.Cookie.MaxAge == 0 {
		r.Cookie.MaxAge = topology.DefaultCookieAge
	}
	r.Trust.Country, r.Trust.Location = http.CanonicalHeaderKey(r.Trust.Country), http.CanonicalHeaderKey(r.Trust.Location)
	if r.Queue == 0 {
		r.Queue = topology.DefaultQueue
	}
	return r
}

// places numbers the datacenters and the shards.
func (t *Table) places(w *topology.Topology) {
	t.ids = []topology.DatacenterID{""}
	t.endpoints = []string{""}
	for _, dc := range w.Datacenters {
		t.ids = append(t.ids, dc.ID)
		t.endpoints = append(t.endpoints, dc.Endpoint)
		if dc.Role != topology.RoleVoter {
			t.serving = t.serving.With(t.DC(dc.ID))
		}
	}
	t.shards = w.ShardIDs()
}

// distances keeps the declared round trips and the positions.
func (t *Table) distances(w *topology.Topology) {
	t.at = make([]point, len(t.ids))
	t.rtt = make([][]time.Duration, len(t.ids))
	for a := range t.rtt {
		t.rtt[a] = make([]time.Duration, len(t.ids))
		for b := range t.rtt[a] {
			t.rtt[a][b] = w.RTT(t.ids[a], t.ids[b])
		}
	}
	for code, at := range countryPoints() {
		t.country[countryIndex(code)] = countryEntry{at: at, known: true}
	}
	for _, declared := range w.Datacenters {
		dc := t.DC(declared.ID)
		if declared.At != nil && t.serving.Has(dc) {
			t.at[dc] = pointAt(declared.At.Lat, declared.At.Long)
			t.located = t.located.With(dc)
		}
		for _, code := range declared.Countries {
			t.country[countryIndex(code)].listed = dc
		}
	}
}

// zonesOf keeps which zone a home belongs to, and who owns it.
func (t *Table) zonesOf(w *topology.Topology, ns topology.Namespace) {
	t.homes = homesOf(w, ns)
	t.newHome, t.newZone = make([]string, len(t.ids)), make([]int, len(t.ids))
	for i, z := range w.Zones {
		owner, _ := w.OwnerOf(z)
		made := zone{id: z.ID, owner: t.DC(owner), copies: t.serving}
		for _, id := range z.Shards {
			shard, _ := w.Shard(id)
			made.shards = append(made.shards, uint16(slices.Index(t.shards, id)))
			var copies DCSet
			for _, m := range shard.Members {
				copies = copies.With(t.DC(m.DC))
			}
			made.copies &= copies
		}
		t.zones = append(t.zones, made)
		home := t.homes.example(z.ID, i)
		if dc, _ := w.Datacenter(owner); dc.Role != topology.RoleActive || home == "" {
			continue
		}
		t.placeable = t.placeable.With(made.owner)
		if t.newHome[made.owner] == "" || home == string(owner) {
			t.newHome[made.owner], t.newZone[made.owner] = home, i
		}
	}
	t.fallback = cmp.Or(t.DC(t.settings.Default), t.placeable.first())
}

// DC returns the number of a datacenter; NoDC for one that the world does not have.
func (t *Table) DC(id topology.DatacenterID) DC {
	return DC(max(0, slices.Index(t.ids, id)))
}

// Datacenter returns the identifier of a datacenter; empty for NoDC.
func (t *Table) Datacenter(dc DC) topology.DatacenterID { return at(t.ids, dc) }

// DCs are all datacenters, in the order of the world.
func (t *Table) DCs() []DC {
	all := make([]DC, len(t.ids)-1)
	for i := range all {
		all[i] = DC(i + 1)
	}
	return all
}

// Serving are the datacenters that run the application: all but voters.
func (t *Table) Serving() DCSet { return t.serving }

// Placeable are the datacenters that get new records: the active ones.
func (t *Table) Placeable() DCSet { return t.placeable }

// Shards are the world's shards; the index is the number in Health.Primaries.
func (t *Table) Shards() []topology.ShardID { return slices.Clone(t.shards) }

// A ZoneInfo is what a table knows of a zone.
type ZoneInfo struct {
	ID     topology.ZoneID
	Owner  DC
	Shards []topology.ShardID
	// Copies are the datacenters that hold all its records.
	Copies []topology.DatacenterID
}

// Zones are the zones, in the order of the world.
func (t *Table) Zones() []ZoneInfo {
	var all []ZoneInfo
	for _, z := range t.zones {
		info := ZoneInfo{ID: z.id, Owner: z.owner}
		for _, s := range z.shards {
			info.Shards = append(info.Shards, t.shards[s])
		}
		for dc := range z.copies.All {
			info.Copies = append(info.Copies, t.ids[dc])
		}
		all = append(all, info)
	}
	return all
}

// Default is the datacenter of new records that nothing else places.
func (t *Table) Default() topology.DatacenterID { return t.ids[t.fallback] }

// Namespace is the namespace whose records the table routes.
func (t *Table) Namespace() string { return t.namespace }

// Upstreams are the application's base URLs in a datacenter.
func (t *Table) Upstreams(dc DC) []string { return slices.Clone(at(t.upstreams, dc)) }

// Endpoint is the base URL of a datacenter's gateway, or empty.
func (t *Table) Endpoint(dc DC) string { return at(t.endpoints, dc) }

// Settings are the router section with the defaults filled in. The caller does not change what it points to.
func (t *Table) Settings() topology.Router { return t.settings }

// RTT is the declared round trip between two datacenters.
func (t *Table) RTT(a, b DC) time.Duration { return at(at(t.rtt, a), b) }

// NewHome is the zone key's value that makes a new record one of the datacenter's; empty for a datacenter that gets none.
func (t *Table) NewHome(dc DC) string { return at(t.newHome, dc) }

// Owner is the datacenter where records with this value of the zone key are at home. It is false for a value that is nobody's.
func (t *Table) Owner(home string) (DC, bool) {
	if z := t.homes.zone(home); z >= 0 {
		return t.zones[z].owner, true
	}
	return NoDC, false
}

// A point is a place on the unit sphere: the greater the product of two, the nearer they are.
type point struct{ x, y, z float64 }

func pointAt(lat, long float64) point {
	const radian = math.Pi / 180
	sinLat, cosLat := math.Sincos(lat * radian)
	sinLong, cosLong := math.Sincos(long * radian)
	return point{cosLat * cosLong, cosLat * sinLong, sinLat}
}

func (p point) nearness(q point) float64 { return p.x*q.x + p.y*q.y + p.z*q.z }

// A countryEntry is where the users of a country go.
type countryEntry struct {
	listed DC    // lists the country
	at     point // the country's middle
	known  bool  // it has one
}

// countryIndex is the place of a code of two capitals, or -1.
func countryIndex(code string) int {
	if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
		return -1
	}
	return int(code[0]-'A')*26 + int(code[1]-'A')
}
