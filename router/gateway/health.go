package gateway

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// A health is what the gateway knows of the world now, and a way to hear of changes.
type health struct {
	now atomic.Pointer[router.Health]

	mu     sync.Mutex // guards following
	next   chan struct{}
	shards map[topology.ShardID]sighting
}

// A sighting is where a shard's primary was seen, and since when.
type sighting struct {
	primary
	since time.Time
}

// enough is the part of the budget for which a shard has no primary before new records are made elsewhere: longer than an election takes, and early enough for the
// requests that have waited since it began.
const enough = 0.75

// changed is closed at the next change.
func (h *health) changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next == nil {
		h.next = make(chan struct{})
	}
	return h.next
}

// assess works out anew what is known, from the upstreams' state and the primaries'.
func (g *Gateway) assess() {
	w, h := g.wiring.Load(), &g.health
	h.mu.Lock()
	defer h.mu.Unlock()
	now := &router.Health{RTT: make([]time.Duration, len(w.pools))}
	for dc, p := range w.pools {
		if len(p.all) == 0 {
			continue
		}
		now.RTT[dc] = p.rtt()
		if p.up() {
			w.metrics[dc].up.Set(1)
		} else {
			w.metrics[dc].up.Set(0)
			now.Down = now.Down.With(router.DC(dc))
		}
	}
	var led router.DCSet
	for _, shard := range w.table.Shards() {
		home := w.table.DC(w.world.HomeOf(shard))
		seen := h.shards[shard]
		if seen.None && g.o.Now().Sub(seen.since) > time.Duration(enough*float64(w.settings.Budget)) {
			now.Leaderless = now.Leaderless.With(home)
		} else {
			led = led.With(home)
		}
		now.Primaries = append(now.Primaries, w.led(shard, seen.primary, now.Down))
	}
	now.Leaderless &^= led
	before := h.now.Swap(now)
	if before != nil && before.Down == now.Down && before.Leaderless == now.Leaderless && slices.Equal(before.Primaries, now.Primaries) {
		return // round trips alone do not matter to those that wait
	}
	if h.next != nil {
		close(h.next)
		h.next = nil
	}
	if before != nil {
		g.report(w, before, now)
	}
}

// led is where a shard's records can be written, as far as that is known.
func (w *wiring) led(shard topology.ShardID, seen primary, down router.DCSet) router.DC {
	if seen.None {
		return router.Electing
	}
	if at := w.table.DC(seen.DC); at != router.NoDC {
		return at
	}
	// Nobody tells. While the home is up, the primary is believed to be there; when it is lost, where the next one is preferred. A wrong belief costs a detour:
	// any application finds the primary by its query router.
	home := w.table.DC(w.world.HomeOf(shard))
	if !down.Has(home) {
		return router.NoDC
	}
	declared, _ := w.world.Shard(shard)
	best, priority := router.NoDC, 0.0
	for _, m := range declared.Members {
		at := w.table.DC(m.DC)
		if len(w.pools[at].all) > 0 && !down.Has(at) && m.Priority > priority {
			best, priority = at, m.Priority
		}
	}
	return best
}

// report logs and counts what has changed.
func (g *Gateway) report(w *wiring, before, now *router.Health) {
	for dc := range ((before.Down ^ now.Down) & w.table.Serving()).All {
		id := string(w.table.Datacenter(dc))
		if now.Down.Has(dc) {
			w.metrics[dc].lost.Inc()
			g.o.Log.Warn("a datacenter is lost", "datacenter", id, "states", w.pools[dc].states())
		} else {
			g.o.Log.Info("a datacenter is back", "datacenter", id)
		}
	}
	for dc := range (now.Leaderless &^ before.Leaderless).All {
		g.o.Log.Warn("a shard stays without a primary: new records are made elsewhere", "datacenter", string(w.table.Datacenter(dc)))
	}
	for i, shard := range w.table.Shards() {
		if i >= len(before.Primaries) || before.Primaries[i] == now.Primaries[i] {
			continue
		}
		g.metrics.failovers.Inc()
		g.o.Log.Info("a shard's primary is elsewhere, or taken to be", "shard", shard, "from", w.nameOf(before.Primaries[i]), "to", w.nameOf(now.Primaries[i]))
	}
}

// nameOf names a place of Health.Primaries.
func (w *wiring) nameOf(dc router.DC) string {
	switch dc {
	case router.Electing:
		return "none"
	case router.NoDC:
		return "unknown"
	}
	return string(w.table.Datacenter(dc))
}

// seen notes where the follower has seen a shard's primary.
func (g *Gateway) seen(shard topology.ShardID, at primary) {
	g.health.mu.Lock()
	same := g.health.shards[shard].primary == at
	if !same {
		g.health.shards[shard] = sighting{at, g.o.Now()}
	}
	g.health.mu.Unlock()
	if !same {
		g.assess()
	}
}

func (p *pool) states() []upstreamState {
	states := make([]upstreamState, len(p.all))
	for i, u := range p.all {
		states[i] = u.state()
	}
	return states
}
