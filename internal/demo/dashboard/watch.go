package dashboard

import (
	"context"
	"time"

	"github.com/geoshard/geoshard/cluster"
)

const (
	// lookEvery is how often the members are asked; lookOften, while a shard has no primary or something was just broken.
	lookEvery = 700 * time.Millisecond
	lookOften = 150 * time.Millisecond
	// oftenFor is how long it is asked more often after somebody has broken something.
	oftenFor   = 8 * time.Second
	lookWithin = 5 * time.Second
	lagEvery   = time.Second

	keptHappenings = 80
	keptLags       = 240
)

// watch asks the members how they are until the context ends.
func (d *Dashboard) watch(ctx context.Context) {
	var before cluster.Status
	var lagged time.Time
	var shown clusterView
	for first := true; ctx.Err() == nil; {
		asked, cancel := context.WithTimeout(ctx, lookWithin)
		status, err := d.o.World.Cluster().Status(asked)
		cancel()
		now := d.o.Now()
		if err != nil {
			if ctx.Err() == nil {
				shown.Error = err.Error()
				d.hub.set("cluster", shown)
			}
			d.pause(ctx, lookEvery)
			continue
		}
		d.mu.Lock()
		told, changed := d.failovers.look(status, now)
		without := d.failovers.without(now)
		list := d.failovers.shown()
		often := len(without) > 0 || now.Before(d.oftenUntil)
		d.mu.Unlock()
		shown = viewCluster(d.o.World, status, without)
		d.hub.set("cluster", shown)
		if !first {
			told = append(changes(before, status), told...)
		}
		for _, h := range told {
			d.hub.add("happenings", keptHappenings, h)
		}
		if changed {
			d.hub.set("failovers", list)
		}
		if now.Sub(lagged) >= lagEvery {
			lagged = now
			d.hub.add("lags", keptLags, viewLag(status))
		}
		before, first = status, false
		if often {
			d.pause(ctx, lookOften)
		} else {
			d.pause(ctx, lookEvery)
		}
	}
}

// pause waits, at most until the context ends or somebody wants to see at once what he did.
func (d *Dashboard) pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-d.woken:
	case <-timer.C:
	}
}

// wake makes the next looks come at once and often.
func (d *Dashboard) wake() {
	d.mu.Lock()
	d.oftenUntil = d.o.Now().Add(oftenFor)
	d.mu.Unlock()
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// tell puts a line into the log.
func (d *Dashboard) tell(kind, text string) {
	d.hub.add("happenings", keptHappenings, happening{d.o.Now().UnixMilli(), kind, text})
}
