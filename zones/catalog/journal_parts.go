package catalog

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/zones"
)

// partBytes is about how large a part of a run becomes: far below the 16 MB of a document, and so large that most runs have one.
const partBytes = 4 << 20

// A part holds some of the steps of a run, and of the layouts from before and after it: the whole of 100,000 ranges is more than one document may hold. Parts are
// written before the record of their run, and never change.
type part struct {
	ID     partID       `bson:"_id"`
	Before zones.Layout `bson:"before"`
	After  zones.Layout `bson:"after"`
	Steps  []stepPart   `bson:"steps"`
}

type partID struct {
	Run  string `bson:"run"`
	Part int    `bson:"part"`
}

// A stepPart is what of a step does not change.
type stepPart struct {
	Step string `bson:"step"`
	Hash string `bson:"hash"`
}

// partsOf filters the parts of a run, by the index of _id.
func partsOf(run string) bson.M {
	at := func(part any) bson.D { return bson.D{{Key: "run", Value: run}, {Key: "part", Value: part}} }
	return bson.M{"_id": bson.M{"$gte": at(bson.MinKey{}), "$lte": at(bson.MaxKey{})}}
}

// A cutter cuts a run into parts of about limit bytes.
type cutter struct {
	run   string
	limit int
	parts []part
	size  int // of the last part
}

// cut cuts a run. Even an empty one has a part.
func cut(run zones.Run, limit int) []part {
	c := &cutter{run: run.ID, limit: limit}
	c.part(0)
	c.layout(run.Before, func(p *part) *zones.Layout { return &p.Before })
	c.layout(run.After, func(p *part) *zones.Layout { return &p.After })
	for _, s := range run.Steps {
		p := c.part(len(s.Step) + len(s.Hash))
		p.Steps = append(p.Steps, stepPart{s.Step, s.Hash})
	}
	return c.parts
}

// overhead is about what a document's field names and the like add to what it holds.
const overhead = 100

// part is the part that so many bytes go into.
func (c *cutter) part(bytes int) *part {
	bytes += overhead
	if n := len(c.parts); n == 0 || c.size+bytes > c.limit {
		c.parts, c.size = append(c.parts, part{ID: partID{c.run, n}, Steps: []stepPart{}}), 0
	}
	c.size += bytes
	return &c.parts[len(c.parts)-1]
}

// layout cuts between ranges, too: a collection that goes on in the next part stands there again.
func (c *cutter) layout(l zones.Layout, of func(*part) *zones.Layout) {
	for _, z := range l.Zones {
		size := len(z.Zone)
		for _, shard := range z.Shards {
			size += len(shard) + overhead
		}
		into := of(c.part(size))
		into.Zones = append(into.Zones, z)
	}
	for _, placement := range l.Collections {
		head := placement
		head.Ranges = nil
		addPlacement(of(c.part(len(head.Collection)+len(head.Reject))), head)
		for _, r := range placement.Ranges {
			into := of(c.part(len(r.Min) + len(r.Max) + len(r.Zone)))
			addPlacement(into, zones.Placement{Collection: placement.Collection, Ranges: []zones.Range{r}})
		}
	}
}

// join puts a part at the end of a run.
func join(run *zones.Run, p part) {
	joinLayout(&run.Before, p.Before)
	joinLayout(&run.After, p.After)
	for _, s := range p.Steps {
		run.Steps = append(run.Steps, zones.RunStep{Step: s.Step, Hash: s.Hash, Status: zones.StepWaiting})
	}
}

func joinLayout(l *zones.Layout, more zones.Layout) {
	l.Zones = append(l.Zones, more.Zones...)
	for _, placement := range more.Collections {
		addPlacement(l, placement)
	}
}

// addPlacement adds ranges to the layout's last collection, or a collection.
func addPlacement(l *zones.Layout, p zones.Placement) {
	if n := len(l.Collections); n > 0 && l.Collections[n-1].Collection == p.Collection {
		l.Collections[n-1].Ranges = append(l.Collections[n-1].Ranges, p.Ranges...)
		return
	}
	l.Collections = append(l.Collections, p)
}

// writeParts writes what of a run does not change. What an attempt that was killed has left of it is replaced.
func (j *Journal) writeParts(ctx context.Context, run zones.Run) (count int, err error) {
	if _, err := j.parts.DeleteMany(ctx, partsOf(run.ID)); err != nil {
		return 0, j.catalog.fail("write the journal", "remove", partsName, err)
	}
	parts := cut(run, partBytes)
	if _, err := j.parts.InsertMany(ctx, parts); err != nil {
		return 0, j.catalog.fail("write the journal", "insert", partsName, err)
	}
	return len(parts), nil
}

// readParts puts a run together. A record that has no parts was written by an earlier program, which kept all in one document.
func (j *Journal) readParts(ctx context.Context, r *record) (zones.Run, error) {
	if r.Parts == 0 {
		return r.Run, nil
	}
	var parts []part
	cursor, err := j.parts.Find(ctx, partsOf(r.ID), options.Find().SetSort(bson.M{"_id": 1}))
	if err == nil {
		err = cursor.All(ctx, &parts)
	}
	if err != nil {
		return zones.Run{}, j.catalog.fail("read the journal", "find", partsName, err)
	}
	run := r.Run
	run.Steps = []zones.RunStep{}
	for _, p := range parts {
		join(&run, p)
	}
	if len(parts) != r.Parts || r.StepsDone > len(run.Steps) {
		return zones.Run{}, &Error{What: "read the journal", Err: fmt.Errorf("run %s has %d of its %d parts in %s", r.ID, len(parts), r.Parts, partsName),
			hint: fmt.Sprintf("somebody removed some; remove the run too, by its _id in %s, then plan and apply anew: what it had done is found in the cluster", journalName)}
	}
	for i := range r.StepsDone {
		run.Steps[i].Status = zones.StepDone
	}
	for i := r.StepsDone; i < min(r.StepsBegun, len(run.Steps)); i++ {
		run.Steps[i].Status = zones.StepStarted
	}
	if r.StepsDone < len(run.Steps) && r.Step.Status != "" {
		run.Steps[r.StepsDone].Status, run.Steps[r.StepsDone].Error = r.Step.Status, r.Step.Error
	}
	return run, nil
}
