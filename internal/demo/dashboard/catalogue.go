package dashboard

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
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
}

func (r *reader) close(ctx context.Context) {
	if r.open != nil {
		_ = r.open.Close(context.WithoutCancel(ctx)) // nothing of it is needed any more
		r.open = nil
	}
}

// read reads once.
func (r *reader) read(ctx context.Context) (v layoutView, first error) {
	dcs := served(r.world)
	if len(dcs) == 0 {
		return v, errNowhere
	}
	for range dcs {
		v, err := r.try(ctx, dcs[r.from%len(dcs)])
		if err == nil {
			return v, nil
		}
		first = cmp.Or(first, err)
		r.close(ctx)
		r.from++
	}
	return v, first
}

func (r *reader) try(ctx context.Context, dc topology.DatacenterID) (v layoutView, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if r.open == nil {
		uri, err := r.world.Cluster().URI(dc)
		if err != nil {
			return v, err
		}
		if r.open, err = catalog.Open(ctx, catalog.Options{URI: uri, Within: findWithin}); err != nil {
			return v, err
		}
	}
	seen, err := r.open.Glance(ctx, mostChunksRead, logPage)
	if err != nil {
		return v, err
	}
	names := make([]string, len(seen.Collections))
	for i, one := range seen.Collections {
		names[i] = one.Name
	}
	r.count(ctx, names)
	v = viewLayout(seen, r.parts)
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
		r.parts, r.counted = parts, time.Now()
	}
}

// place reads the catalogue again and again until the context ends.
func (d *Dashboard) place(ctx context.Context) {
	r := &reader{world: d.world}
	defer func() { r.close(ctx) }()
	var shown layoutView
	pace.Every(ctx, readEvery, func() {
		v, err := r.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			shown = v
			shown.Taken = time.Now().UnixMilli()
		} else {
			shown.Error = err.Error()
		}
		d.hub.set("layout", shown)
	})
}

// A layoutView is where the documents are, as the catalogue has it.
type layoutView struct {
	Taken int64 `json:"taken"`
	// Counted is when documents were counted last, 0 = never: that asks the shards' primaries, the rest only the catalogue.
	Counted     int64            `json:"counted"`
	Shards      []placedView     `json:"shards"`
	Collections []collectionView `json:"collections"`
	// Moving are the migrations under way; Moved are the last that ended.
	Moving []moveView `json:"moving"`
	Moved  []moveView `json:"moved"`
	// Error says why nothing newer is known.
	Error string `json:"error,omitempty"`
}

// A placedView is what lies on one shard.
type placedView struct {
	ID        topology.ShardID  `json:"id"`
	Zones     []topology.ZoneID `json:"zones"`
	Chunks    int               `json:"chunks"`
	Documents int64             `json:"documents"`
	Orphans   int64             `json:"orphans"`
}

type collectionView struct {
	Name   string      `json:"name"`
	Chunks []chunkView `json:"chunks"`
	// More is how many chunks are not shown.
	More int `json:"more"`
}

// A chunkView is a run of shard keys. Astray is true where a zone has them and the shard is not of the zone.
type chunkView struct {
	Shard  topology.ShardID `json:"shard"`
	Zone   topology.ZoneID  `json:"zone"`
	Range  string           `json:"range"`
	Astray bool             `json:"astray"`
}

type moveView struct {
	Collection string           `json:"collection"`
	From       topology.ShardID `json:"from"`
	To         topology.ShardID `json:"to"`
	// At is when it began, or ended.
	At int64 `json:"at"`
	// Failed is true for one that ended without having moved anything.
	Failed bool `json:"failed"`
}

// mostChunks of a collection are shown.
const mostChunks = 96

// viewLayout arranges what was read.
func viewLayout(seen catalog.Glance, parts map[string]map[topology.ShardID]catalog.Part) layoutView {
	v := layoutView{Collections: []collectionView{}}
	count, zonesOf := map[topology.ShardID]int{}, map[topology.ShardID][]topology.ZoneID{}
	for _, s := range seen.Shards {
		zonesOf[s.ID] = s.Zones
	}
	for _, collection := range seen.Collections {
		one := collectionView{Name: collection.Name}
		p := zones.Placement{Ranges: collection.Ranges}
		for _, chunk := range collection.Chunks {
			count[chunk.Shard]++
			if len(one.Chunks) == mostChunks {
				one.More++
				continue
			}
			zone, zoned := p.ZoneOf(chunk.Min)
			one.Chunks = append(one.Chunks, chunkView{
				Shard: chunk.Shard, Zone: zone, Astray: zoned && !slices.Contains(zonesOf[chunk.Shard], zone),
				Range: shardkey.Format(chunk.Min) + " to " + shardkey.Format(chunk.Max),
			})
		}
		if len(one.Chunks) > 0 {
			v.Collections = append(v.Collections, one)
		}
	}
	for _, s := range seen.Shards {
		one := placedView{ID: s.ID, Zones: append([]topology.ZoneID{}, s.Zones...), Chunks: count[s.ID]}
		for _, shards := range parts {
			one.Documents += shards[s.ID].Owned.Documents
			one.Orphans += shards[s.ID].Orphaned.Documents
		}
		v.Shards = append(v.Shards, one)
	}
	v.Moving, v.Moved = moves(seen.Log)
	return v
}

const (
	// keptMoves are shown of those that ended.
	keptMoves = 5
	// staleMove is when a beginning without an end counts no more: its shard may have died.
	staleMove = 10 * time.Minute
)

// moves reads the log of migrations: the newest entry about a range says where its migration stands.
func moves(log []catalog.LogEntry) (moving, moved []moveView) {
	moving, moved = []moveView{}, []moveView{}
	seen := map[string]bool{}
	for _, e := range log {
		id := e.Namespace + string(e.Details.Min)
		one := moveView{Collection: e.Namespace, From: e.Details.From, To: e.Details.To, At: e.Time.UnixMilli()}
		switch e.What {
		case "moveChunk.start":
			if !seen[id] && log[0].Time.Sub(e.Time) < staleMove {
				moving = append(moving, one)
			}
		case "moveChunk.commit", "moveChunk.error":
			one.Failed = e.What == "moveChunk.error"
			if len(moved) < keptMoves {
				moved = append(moved, one)
			}
		default: // moveChunk.from and .to, which say how it went in detail
			if strings.HasPrefix(e.What, "moveChunk.to") {
				continue // the recipient is done before the end
			}
		}
		seen[id] = true
	}
	return moving, moved
}
