package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// failedOver kills a primary under writes from all datacenters, and starts it again.
func failedOver(ctx context.Context, p *play) error {
	if err := p.lookAround(ctx); err != nil {
		return err
	}
	dc := p.away()
	shard := p.world.shardOf(dc)
	victim := p.primaries.of(shard)
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
		if err := p.world.cluster.Kill(ctx, member); err != nil {
			return err
		}
	}
	p.say("%s, primary of %s, gets SIGKILL while clients in all datacenters write to carts of %s", victim, shard, p.name(dc))
	next, elected, err := p.awaitElection(ctx, shard, victim, began)
	if err != nil {
		return err
	}
	if p.spoilt("failover") { // or nothing would ever be acknowledged
		for _, member := range dead {
			if err := p.world.cluster.Start(ctx, member); err != nil {
				return err
			}
		}
	}
	all, err := load.end()
	if err != nil {
		return err
	}
	untouched, err := bystanders.end()
	if err != nil {
		return err
	}
	if err := p.toldFailover(ctx, shard, victim, next, elected, after(all, began), after(untouched, began)); err != nil {
		return err
	}
	began = time.Now()
	if err := p.world.cluster.Start(ctx, victim); err != nil {
		return err
	}
	p.took(began, "%s is started again and copies what it missed", victim)
	return nil
}

// writers are clients in every datacenter with carts at home in one, and clients at home elsewhere, who should not notice.
func (p *play) writers(ctx context.Context, dc topology.DatacenterID, profile string) (theirs, others []writer, err error) {
	group, together := errgroup.WithContext(ctx)
	work := func(to *writer, from, home topology.DatacenterID, profile string) {
		group.Go(func() error {
			b, err := p.fill(together, home)
			*to = writer{from: from, basket: b, profile: profile}
			return err
		})
	}
	elsewhere := p.others(dc)
	theirs, others = make([]writer, len(p.world.homes)), make([]writer, len(elsewhere))
	for i, from := range p.world.homes {
		work(&theirs[i], from, dc, profile)
	}
	for i, home := range elsewhere {
		work(&others[i], home, home, localFast)
	}
	return theirs, others, group.Wait()
}

// further are the members that are killed besides the primary if the step is spoilt: so many that those who are left are no majority.
func (p *play) further(shard topology.ShardID, primary string) (names []string) {
	if !p.spoilt("failover") {
		return nil
	}
	s, _ := p.world.topology.Shard(shard)
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

// awaitElection waits for another primary. If the step is spoilt there will be none.
func (p *play) awaitElection(ctx context.Context, shard topology.ShardID, old string, began time.Time) (next string, elected time.Duration, err error) {
	err = p.awaits(ctx, "failover", "another primary of "+string(shard), func(ctx context.Context) error {
		status, err := p.world.cluster.Status(ctx)
		if err != nil {
			return err
		}
		m, ok := status.Primary(shard)
		if !ok || m.Name == old {
			return fmt.Errorf("%s has none yet", shard)
		}
		next = m.Name
		p.primaries.note(p.world.topology, status)
		return nil
	})
	return next, time.Since(began), err
}

// after are the writes that were not acknowledged yet at a time.
func after(all []written, at time.Time) []written {
	return slices.DeleteFunc(all, func(w written) bool { return w.began.Add(time.Duration(w.Took)).Before(at) })
}

func (p *play) toldFailover(ctx context.Context, shard topology.ShardID, killed, next string, elected time.Duration, all, untouched []written) error {
	p.tell(Line{Text: cmp.Or(next, "nobody") + " is elected", Took: client.Rounded(elected)})
	p.check("another member is primary", next != "" && next != killed, next, "any of "+string(shard)+" but "+killed)
	most, refused := longest(all)
	most.Member = p.primaries.of(shard)
	p.show(most.Answer, "the longest of %d writes meanwhile: held, and tried %d times", len(all), most.Tries)
	p.unrefused("errors that clients saw", refused)
	var calm []client.Answer
	for _, one := range untouched {
		calm = append(calm, one.Answer)
	}
	s := spread(calm)
	_, errors := longest(untouched)
	p.tell(Line{Text: fmt.Sprintf("%d writes of customers elsewhere, half of them within", s.Count), Took: s.P50})
	p.unrefused("errors that those saw", errors)
	p.report.Failover = &Failover{Shard: shard, Killed: killed, Next: next, Elected: client.Rounded(elected), Held: most.Took, Writes: len(all), Errors: len(refused) + len(errors)}
	return p.nothingLost(ctx)
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
	stored := make([]map[string]int, len(baskets))
	group, together := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, b := range baskets {
		group.Go(func() error {
			c, _, err := p.current(together, b)
			stored[i] = things(c)
			return err
		})
	}
	if err := group.Wait(); err != nil {
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
