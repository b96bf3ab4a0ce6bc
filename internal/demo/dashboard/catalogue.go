package dashboard

import (
	"context"
	"errors"
	"time"

	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/catalog"
)

const (
	readEvery  = 2 * time.Second
	readWithin = 6 * time.Second
	findWithin = 3 * time.Second
	// countWithin is short: a shard without a primary does not answer, and then the last numbers are shown.
	countWithin = 2 * time.Second
	// logPage is how many entries of the log are looked at: a migration writes about six.
	logPage = 120
	// mostChunksRead bounds what is read of the chunks.
	mostChunksRead = 10_000
)

// A reader reads the catalogue through the query router of one datacenter, and of another one when that does not answer.
type reader struct {
	world World
	from  int // the datacenter's place among the served ones
	open  *catalog.Catalog
	// parts are what was counted last, at counted.
	parts   map[string]map[topology.ShardID]catalog.Part
	counted time.Time
	now     func() time.Time
}

func (r *reader) close(ctx context.Context) {
	if r.open != nil {
		_ = r.open.Close(context.WithoutCancel(ctx)) // nothing of it is needed any more
		r.open = nil
	}
}

// read reads once.
func (r *reader) read(ctx context.Context) (layoutView, error) {
	dcs := served(r.world)
	if len(dcs) == 0 {
		return layoutView{}, errors.New("no datacenter has a gateway")
	}
	var first error
	for range dcs {
		v, err := r.try(ctx, dcs[r.from%len(dcs)])
		if err == nil {
			return v, nil
		}
		if first == nil {
			first = err
		}
		r.close(ctx)
		r.from++
	}
	return layoutView{}, first
}

func (r *reader) try(ctx context.Context, dc topology.DatacenterID) (layoutView, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if r.open == nil {
		uri, err := r.world.Cluster().URI(dc)
		if err != nil {
			return layoutView{}, err
		}
		if r.open, err = catalog.Open(ctx, catalog.Options{URI: uri, Within: findWithin}); err != nil {
			return layoutView{}, err
		}
	}
	seen, err := r.open.Glance(ctx, mostChunksRead, logPage)
	if err != nil {
		return layoutView{}, err
	}
	names := make([]string, len(seen.Collections))
	for i, one := range seen.Collections {
		names[i] = one.Name
	}
	r.count(ctx, names)
	v := viewLayout(seen, r.parts)
	if !r.counted.IsZero() {
		v.Counted = r.counted.UnixMilli()
	}
	return v, nil
}

// count counts the documents anew, if all shards answer.
func (r *reader) count(ctx context.Context, names []string) {
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	if parts, err := r.open.Distribution(ctx, names); err == nil {
		r.parts, r.counted = parts, r.now()
	}
}

// place reads the catalogue again and again until the context ends.
func (d *Dashboard) place(ctx context.Context) {
	r := &reader{world: d.o.World, now: d.o.Now}
	defer func() { r.close(ctx) }()
	var shown layoutView
	pace.Every(ctx, readEvery, func() {
		v, err := r.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			shown = v
			shown.Taken = d.o.Now().UnixMilli()
		} else {
			shown.Error = err.Error()
		}
		d.hub.set("layout", shown)
	})
}
