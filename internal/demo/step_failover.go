package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// failedOver kills a primary under writes from all datacenters, and starts it again.
func failedOver(ctx context.Context, p *play) error {
	if err := p.lookAround(ctx); err != nil {
		return err
	}
	dc := p.away()
	shard := p.shardOf(dc)
	victim := p.primaryOf(shard)
	theirs, others, err := p.writers(ctx, dc, "")
	if err != nil {
		return err
	}
	load, bystanders := p.work(ctx, theirs), p.work(ctx, others)
	defer load.abandon()
	defer bystanders.abandon()
	dead := append([]string{victim}, p.further(shard, victim)...)
	began := time.Now()
	for _, member := range slices.Backward(dead) {
		if err := p.cluster.Kill(ctx, member); err != nil {
			return err
		}
	}
	p.say("%s, primary of %s, gets SIGKILL while clients in all datacenters write to carts of %s", victim, shard, dc)
	next, err := p.awaitPrimary(ctx, "failover", "another primary of "+string(shard), shard, func(m cluster.Member) bool { return m.Name != victim })
	if err != nil {
		return err
	}
	elected := time.Since(began)
	if p.spoilt("failover") { // or nothing would ever be acknowledged
		for _, member := range dead {
			if err := p.cluster.Start(ctx, member); err != nil {
				return err
			}
		}
	}
	hit, calm, err := ended(load, bystanders, began)
	if err != nil {
		return err
	}
	if err := p.toldFailover(ctx, shard, victim, next, elected, hit, calm); err != nil {
		return err
	}
	began = time.Now()
	if err := p.cluster.Start(ctx, victim); err != nil {
		return err
	}
	p.took(began, "%s is started again and copies what it missed", victim)
	return nil
}

// writers are clients in every datacenter with carts at home in one, and clients at home elsewhere, who should not notice.
func (p *play) writers(ctx context.Context, dc topology.DatacenterID, profile string) (theirs, others []writer, err error) {
	var all []writer
	for _, from := range p.homes {
		all = append(all, writer{from: from, home: dc, profile: profile})
	}
	for _, home := range p.others(dc) {
		all = append(all, writer{from: home, home: home, profile: localFast})
	}
	all, err = together(ctx, all, func(ctx context.Context, w writer) (_ writer, err error) {
		w.basket, err = p.fill(ctx, w.home)
		return w, err
	})
	return all[:len(p.homes):len(p.homes)], all[len(p.homes):], err
}

// further are the members that are killed besides the primary if the step is spoilt: so many that those who are left are no majority.
func (p *play) further(shard topology.ShardID, primary string) (names []string) {
	if !p.spoilt("failover") {
		return nil
	}
	s, _ := p.topology.Shard(shard)
	for i := range s.Members {
		if left := len(s.Members) - 1 - len(names); 2*left <= len(s.Members) {
			break
		}
		if name := s.MemberName(i); name != primary {
			names = append(names, name)
		}
	}
	return names
}

// awaitPrimary waits for a primary that is as wanted. If the step is spoilt there will be none.
func (p *play) awaitPrimary(ctx context.Context, step, what string, shard topology.ShardID, wanted func(cluster.Member) bool) (next string, err error) {
	err = p.awaits(ctx, step, what, func(ctx context.Context) error {
		status, err := p.cluster.Status(ctx)
		if err != nil {
			return err
		}
		leading := status.Primaries(shard) // one that is alone now may hold itself for a primary as well
		i := slices.IndexFunc(leading, wanted)
		if i < 0 {
			return fmt.Errorf("%s has none yet", shard)
		}
		next = leading[i].Name
		p.mu.Lock()
		defer p.mu.Unlock()
		p.primaries[shard] = next
		return nil
	})
	return next, err
}

func (p *play) toldFailover(ctx context.Context, shard topology.ShardID, killed, next string, elected time.Duration, hit, calm outcome) error {
	foreseen := p.foreseen(shard)
	p.lasted(elected, "%s is elected; foreseen within %s, in 99 of 100 cases", cmp.Or(next, "nobody"), client.Rounded(foreseen))
	p.check("another member is primary", next != "" && next != killed, next, "any of "+string(shard)+" but "+killed)
	hit.longest.Member = p.primaryOf(shard)
	p.show(hit.longest, "the longest of %d writes meanwhile: held, and tried %d times", len(hit.answers), hit.longest.Tries)
	p.unrefused("errors that clients saw", hit.refused)
	s := spread(calm.answers)
	p.lasted(time.Duration(s.P50), "%d writes of customers elsewhere, half of them within", s.Count)
	p.unrefused("errors that those saw", calm.refused)
	p.report.Failover = &Failover{
		Shard: shard, Killed: killed, Next: next, Elected: client.Rounded(elected), Held: hit.longest.Took, Foreseen: client.Rounded(foreseen),
		Writes: len(hit.answers), Errors: len(hit.refused) + len(calm.refused),
	}
	return p.nothingLost(ctx)
}

// foreseen is within what time 99 of 100 elections of a shard are over whose primary is killed.
func (p *play) foreseen(id topology.ShardID) time.Duration {
	shard, _ := p.topology.Shard(id)
	settings := consistency.ClusterElections(p.topology, shard, p.options.electionTimeout())
	o := consistency.OutageOf(p.topology, shard, consistency.PrimaryKilled, settings, 1)
	if o.Fast == nil {
		return 0
	}
	return o.Fast.At(0.99)
}

// unrefused checks that nobody was refused anything, or says what the first of them was told.
func (p *play) unrefused(what string, refused []string) {
	got := fmt.Sprint(len(refused))
	if len(refused) > 0 {
		got += ", first: " + refused[0]
	}
	p.check(what, len(refused) == 0, got, 0)
}

// nothingLost compares all carts with what was acknowledged.
func (p *play) nothingLost(ctx context.Context) error {
	w, err := p.compare(ctx)
	if err != nil {
		return err
	}
	same(p, fmt.Sprintf("acknowledged things that are not there, of %d", w.Promised), w.Lost, 0)
	same(p, "things that are there twice", w.Doubled, 0)
	return nil
}

// compare holds what is stored against what was acknowledged. It reads where carts are written.
func (p *play) compare(ctx context.Context) (w Writes, err error) {
	baskets := p.all()
	w.Carts = len(baskets)
	stored, err := together(ctx, baskets, func(ctx context.Context, b *basket) (map[string]int, error) {
		c, _, err := p.current(ctx, b)
		return things(c), err
	})
	if err != nil {
		return w, err
	}
	for i, b := range baskets {
		wanted := b.contents()
		w.Acknowledged += b.writes
		w.Promised, w.Stored = w.Promised+sum(wanted), w.Stored+sum(stored[i])
		for sku, n := range wanted {
			w.Lost += max(0, n-stored[i][sku])
		}
		for sku, n := range stored[i] {
			w.Doubled += max(0, n-wanted[sku])
		}
	}
	return w, nil
}
