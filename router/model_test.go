package router_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pariz/gountries"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/router/internal/model"
	"github.com/geoshard/geoshard/topology"
)

// TestAMillionRequestsGoWhereTheModelSays draws worlds, states and requests, and compares with the model all that is decided. The model's only common
// ground with the router is the data that the test hands to both; the homes and owners of the model come from how the world was drawn.
func TestAMillionRequestsGoWhereTheModelSays(t *testing.T) {
	worlds, each := testkit.Count(t, "worlds", 50, 500), testkit.Count(t, "requests in each", 1000, 2000)
	points := countries()
	reasons := map[string]int{}
	wrong, owners := 0, 0
	for seed := range uint64(worlds) {
		d := &drawer{rand.New(rand.NewPCG(seed, 7))}
		world, plain := d.world()
		plain.Points = points
		table, err := router.NewTable(world)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range each {
			s, r := d.state(plain), d.request(plain)
			q, h := query(table, r), health(table, world, s)
			got, want := answer(table, table.Decide(&q, &h)), model.Decide(plain, s, r)
			if got != want {
				if wrong++; got.Owner != want.Owner {
					owners++
				}
				if wrong <= 5 {
					_, steps := table.Explain(&q, &h)
					t.Errorf("seed %d: %+v in %+v:\ngot  %+v\nwant %+v\n%v", seed, r, s, got, want, steps)
				}
			}
			if told, _ := table.Explain(&q, &h); answer(table, told) != got {
				t.Fatalf("seed %d: %+v: explained as %+v, decided as %+v", seed, r, answer(table, told), got)
			}
			reasons[got.Reason]++
		}
	}
	for _, reason := range router.Reasons() {
		if reasons[reason.String()] == 0 {
			t.Errorf("no request was decided for the reason %s", reason)
		}
	}
	t.Logf("%d requests in %d worlds (seeds 0 to %d): %d wrong owners, %d wrong answers; by reason: %v", worlds*each, worlds, worlds-1, owners, wrong, reasons)
}

// countries are the middles of the countries as their module has them, rounded as the router's are.
func countries() map[string][2]float64 {
	points := map[string][2]float64{}
	for _, c := range gountries.New().FindAllCountries() {
		lat, long := float32(0), float32(0)
		fmt.Sscanf(fmt.Sprintf("%.2f %.2f", c.Coordinates.Latitude, c.Coordinates.Longitude), "%g %g", &lat, &long)
		points[c.Alpha2] = [2]float64{float64(lat), float64(long)}
	}
	return points
}

func query(t *router.Table, r model.Request) router.Query {
	q := router.Query{Here: t.DC(topology.DatacenterID(r.Here)), Redirect: r.Redirect, Home: r.Home, Explicit: r.Explicit, Country: r.Country}
	q.Class = map[string]router.Class{"read": router.Read, "write": router.Write, "new": router.New}[r.Kind]
	q.Unroutable = map[string]router.Reason{"bad-handle": router.ReasonBadHandle, "no-directory": router.ReasonNoDirectory}[r.Unroutable]
	if r.Place != nil {
		q.Lat, q.Long, q.HasPlace = r.Place[0], r.Place[1], true
	}
	return q
}

func health(t *router.Table, w *topology.Topology, s model.State) router.Health {
	var h router.Health
	for _, dc := range t.DCs() {
		if s.Down[string(t.Datacenter(dc))] {
			h.Down = h.Down.With(dc)
		}
		if s.Leaderless[string(t.Datacenter(dc))] {
			h.Leaderless = h.Leaderless.With(dc)
		}
	}
	for _, shard := range w.Shards {
		switch p := s.Primary[string(shard.ID)]; p {
		case "none":
			h.Primaries = append(h.Primaries, router.Electing)
		default:
			h.Primaries = append(h.Primaries, t.DC(topology.DatacenterID(p)))
		}
	}
	if s.RTT != nil {
		h.RTT = make([]time.Duration, len(t.DCs())+1)
		for name, ms := range s.RTT {
			h.RTT[t.DC(topology.DatacenterID(name))] = time.Duration(ms * float64(time.Millisecond))
		}
	}
	return h
}

func answer(t *router.Table, d router.Decision) model.Answer {
	return model.Answer{To: string(t.Datacenter(d.To)), Owner: string(t.Datacenter(d.Owner)), Mode: d.Mode.String(), Reason: d.Reason.String()}
}

// A drawer draws worlds twice: as a topology, and as the model has it.
type drawer struct{ *rand.Rand }

func (d *drawer) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d *drawer, from []T) T { return from[d.IntN(len(from))] }

var someCountries = []string{"US", "CA", "GB", "FR", "DE", "AU", "NZ", "JP", "SG", "BR", "ZA", "IN", "NO", "FJ", "GG"}

func (d *drawer) world() (*topology.Topology, model.World) {
	w := &topology.Topology{Version: topology.CurrentVersion, Router: &topology.Router{}}
	m := model.World{RTT: map[[2]string]float64{}}
	codes := slices.Clone(someCountries)
	d.Shuffle(len(codes), func(i, j int) { codes[i], codes[j] = codes[j], codes[i] })
	for i := range 1 + d.IntN(7) {
		dc := topology.Datacenter{ID: topology.DatacenterID(fmt.Sprintf("D%d", i)), Role: topology.RoleActive}
		if i > 0 && d.chance(30) {
			dc.Role = pick(d, []topology.Role{topology.RolePassive, topology.RoleVoter})
		}
		if d.chance(70) {
			dc.At = &topology.Coordinates{Lat: d.Float64()*180 - 90, Long: d.Float64()*360 - 180}
		}
		if dc.Role != topology.RoleVoter && d.chance(60) {
			dc.Countries, codes = codes[:1], codes[1:]
		}
		if dc.Role != topology.RoleVoter && d.chance(80) {
			dc.Endpoint = fmt.Sprintf("https://%d.example", i)
		}
		for _, other := range w.Datacenters {
			ms := 1 + d.IntN(300) // whole, so that equals occur
			w.Links = append(w.Links, topology.Link{Between: [2]topology.DatacenterID{dc.ID, other.ID}, RTT: time.Duration(ms) * time.Millisecond})
			m.RTT[[2]string{string(dc.ID), string(other.ID)}], m.RTT[[2]string{string(other.ID), string(dc.ID)}] = float64(ms), float64(ms)
		}
		w.Datacenters = append(w.Datacenters, dc)
		plain := model.Datacenter{Name: string(dc.ID), Active: dc.Role == topology.RoleActive, Voter: dc.Role == topology.RoleVoter, Countries: dc.Countries, Gateway: dc.Endpoint != ""}
		if dc.At != nil {
			plain.At = &[2]float64{dc.At.Lat, dc.At.Long}
		}
		m.Datacenters = append(m.Datacenters, plain)
	}
	d.zones(w, &m)
	d.namespace(w, &m)
	if active := slices.DeleteFunc(slices.Clone(w.Datacenters), func(dc topology.Datacenter) bool { return dc.Role != topology.RoleActive }); d.chance(50) {
		w.Router.Default = pick(d, active).ID
		m.Default = string(w.Router.Default)
	}
	return w, m
}

// zones draws a zone for nearly each active datacenter, with one or two shards that are at home there.
func (d *drawer) zones(w *topology.Topology, m *model.World) {
	for i, home := range m.Datacenters {
		if !home.Active {
			continue
		}
		var allowed []topology.DatacenterID
		for _, dc := range m.Datacenters {
			if dc.Name == home.Name || d.chance(70) {
				allowed = append(allowed, topology.DatacenterID(dc.Name))
			}
		}
		restricted := d.chance(30)
		zone := topology.Zone{ID: topology.ZoneID("Z" + home.Name)}
		plain := model.Zone{Name: string(zone.ID), Owner: home.Name}
		for n := range 1 + d.IntN(2) {
			shard := topology.Shard{ID: topology.ShardID(fmt.Sprintf("s%d-%d", i, n))}
			voted := false
			copies := map[string]bool{}
			for _, dc := range m.Datacenters {
				if restricted && !slices.Contains(allowed, topology.DatacenterID(dc.Name)) || dc.Voter && voted || !dc.Voter && !dc.Active && d.chance(40) {
					continue
				}
				member := topology.Member{DC: topology.DatacenterID(dc.Name), Priority: d.Float64() * 5}
				switch {
				case dc.Voter:
					member.Priority, voted = 0, true
				case dc.Name == home.Name:
					member.Priority = 10
				}
				copies[dc.Name] = !dc.Voter
				shard.Members = append(shard.Members, member)
			}
			w.Shards = append(w.Shards, shard)
			zone.Shards = append(zone.Shards, shard.ID)
			if plain.Shards = append(plain.Shards, string(shard.ID)); n == 0 {
				for _, dc := range m.Datacenters {
					if copies[dc.Name] {
						plain.Copies = append(plain.Copies, dc.Name)
					}
				}
			} else {
				plain.Copies = slices.DeleteFunc(plain.Copies, func(name string) bool { return !copies[name] })
			}
		}
		if restricted {
			zone.AllowedDatacenters = allowed
		}
		w.Zones, m.Zones = append(w.Zones, zone), append(m.Zones, plain)
		m.Datacenters[i].TakesNew, m.Datacenters[i].NewZone = true, plain.Name
	}
}

// namespace draws which values lead to which zone: always some, so that each zone has one, and a stretch of letters.
func (d *drawer) namespace(w *topology.Topology, m *model.World) {
	ns := topology.Namespace{Name: "shop.carts", Key: topology.Key{{Name: "home"}, {Name: "_id"}}, ZoneBy: "home", Unknown: topology.UnknownReject}
	values := map[string]string{}
	for i, z := range w.Zones {
		v := fmt.Sprintf("v%d", i)
		values[v] = string(z.ID)
		ns.Ranges = append(ns.Ranges, topology.Range{Zone: z.ID, Values: []topology.Value{topology.StringOf(v)}})
	}
	stretch := pick(d, w.Zones).ID
	from, to := topology.StringOf("a"), topology.StringOf("m")
	ns.Ranges = append(ns.Ranges, topology.Range{Zone: stretch, From: &from, To: &to})
	ns.OnlyRanges = d.chance(30)
	unknown := ""
	if d.chance(30) {
		ns.Unknown, ns.UnknownZone = topology.UnknownToZone, pick(d, w.Zones).ID
		unknown = string(ns.UnknownZone)
	}
	w.Namespaces = []topology.Namespace{ns}
	m.ZoneOf = func(home string) string {
		switch {
		case values[home] != "":
			return values[home]
		case strings.ContainsAny(home[:1], "abcdefghijkl"):
			return string(stretch)
		case !ns.OnlyRanges && slices.ContainsFunc(m.Zones, func(z model.Zone) bool { return z.Name == home }):
			return home
		default:
			return unknown
		}
	}
}

func (d *drawer) state(m model.World) model.State {
	s := model.State{Down: map[string]bool{}, Leaderless: map[string]bool{}, Primary: map[string]string{}}
	if d.chance(40) {
		return s // all is well
	}
	sick := pick(d, []int{10, 30, 80, 100})
	for _, dc := range m.Datacenters {
		s.Down[dc.Name], s.Leaderless[dc.Name] = d.chance(sick), d.chance(sick/2)
	}
	for _, z := range m.Zones {
		for _, shard := range z.Shards {
			s.Primary[shard] = pick(d, []string{"", z.Owner, "none", pick(d, z.Copies), pick(d, z.Copies)})
		}
	}
	if d.chance(50) {
		s.RTT = map[string]float64{}
		for _, dc := range m.Datacenters {
			if d.chance(80) {
				s.RTT[dc.Name] = float64(1 + d.IntN(300))
			}
		}
	}
	return s
}

func (d *drawer) request(m model.World) model.Request {
	r := model.Request{Kind: pick(d, []string{"read", "write", "write", "new"}), Redirect: d.chance(30)}
	if d.chance(95) {
		r.Here = pick(d, m.Datacenters).Name
	}
	if d.chance(80) {
		r.Home = pick(d, []string{pick(d, m.Zones).Name, fmt.Sprintf("v%d", d.IntN(len(m.Zones))), "bcd", "m", "nobody's", "l\xff"})
	}
	if d.chance(5) {
		r.Unroutable = pick(d, []string{"bad-handle", "no-directory"})
	}
	if d.chance(20) {
		r.Explicit = pick(d, []string{pick(d, m.Datacenters).Name, "nowhere"})
	}
	if d.chance(40) {
		r.Country = pick(d, append([]string{"XX", "gb", "T1"}, someCountries...))
	}
	if d.chance(50) {
		r.Place = &[2]float64{d.Float64()*184 - 92, d.Float64()*368 - 184}
	}
	return r
}
