package catalog

import (
	"context"
	"maps"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// A Journal keeps the applies of a cluster in the cluster: one record per run in geoshard.journal, which says how far it is, and in geoshard.journalParts what of
// it does not change, its steps and layouts, in as many documents as that takes: a run may be as great as the memory of the process that applies it.
type Journal struct {
	catalog     *Catalog
	runs, parts *mongo.Collection
}

// Journal is the cluster's journal of applies.
func (c *Catalog) Journal() *Journal { return c.journalIn(zones.JournalDatabase) }

func (c *Catalog) journalIn(name string) *Journal {
	db := c.database(name)
	return &Journal{c, db.Collection(journalCollection), db.Collection(partsCollection)}
}

func (j *Journal) writing(err error) error {
	return j.catalog.fail("write the journal", "update", journalName, err)
}

// A record is a run without what its parts hold. Steps are made in their order, those of a group at the same time: how many are done and begun, and the state
// of the first that is not done, say it all.
type record struct {
	zones.Run  `bson:",inline"`
	Parts      int   `bson:"parts"`
	StepsDone  int   `bson:"stepsDone"`
	StepsBegun int   `bson:"stepsBegun"` // 0 of an earlier program, which made one at a time
	Step       going `bson:"step"`
}

// going is what became of the step after those that are done.
type going struct {
	Status zones.StepStatus `bson:"status,omitempty"`
	Error  string           `bson:"error,omitempty"`
}

// progress are the fields of a record that change.
func progress(run zones.Run) bson.M {
	done := run.Done()
	var next going
	if done < len(run.Steps) {
		next = going{run.Steps[done].Status, run.Steps[done].Error}
	}
	return bson.M{"status": run.Status, "error": run.Error, "holds": run.Holds, "stepsDone": done, "stepsBegun": run.Begun(), "step": next}
}

// Begin writes a run before its first step, or takes over one that was interrupted.
//
// The token goes into the record: whoever had the run before matches nothing from then on. The runs that are replaced get it first, so that their
// holders, if they live, are stopped before the new run exists.
func (j *Journal) Begin(ctx context.Context, run zones.Run, replaces []string) error {
	if len(replaces) > 0 {
		fence := bson.M{"$set": bson.M{"token": run.Token}}
		if _, err := j.runs.UpdateMany(ctx, amongRuns(replaces), fence); err != nil {
			return j.writing(err)
		}
	}
	if err := j.begin(ctx, run); err != nil {
		return err
	}
	if len(replaces) == 0 {
		return nil
	}
	closed := bson.M{"$set": bson.M{"status": zones.RunReplaced}, "$currentDate": bson.M{"ended": true}}
	_, err := j.runs.UpdateMany(ctx, amongRuns(replaces), closed)
	return j.writing(err)
}

// begin takes a record over, or else writes the parts and then the record: a run that can be found is whole.
func (j *Journal) begin(ctx context.Context, run zones.Run) error {
	set := progress(run)
	set["owner"], set["token"] = run.Owner, run.Token
	whole := bson.M{"_id": run.ID, "parts": bson.M{"$gt": 0}}
	taken, err := j.runs.UpdateOne(ctx, whole, bson.M{"$set": set, "$unset": bson.M{"ended": ""}})
	if err != nil || taken.MatchedCount > 0 {
		return j.writing(err)
	}
	parts, err := j.writeParts(ctx, run)
	if err != nil {
		return err
	}
	maps.Copy(set, bson.M{"plan": run.Plan, "stateHash": run.StateHash, "started": run.Started, "stepsTotal": len(run.Steps), "parts": parts})
	// An earlier program kept the rest in the record.
	unset := bson.M{"ended": "", "before": "", "after": "", "steps": ""}
	_, err = j.runs.UpdateOne(ctx, bson.M{"_id": run.ID}, bson.M{"$set": set, "$unset": unset}, options.UpdateOne().SetUpsert(true))
	return j.writing(err)
}

func amongRuns(ids []string) bson.M {
	return bson.M{"_id": bson.M{"$in": ids}}
}

// Mark writes where a run stands, in one document: a plan may have many thousands of steps.
func (j *Journal) Mark(ctx context.Context, run zones.Run) error {
	update := bson.M{"$set": progress(run)}
	if run.Status != zones.RunGoing {
		update["$currentDate"] = bson.M{"ended": true}
	}
	result, err := j.runs.UpdateOne(ctx, bson.M{"_id": run.ID, "token": run.Token}, update)
	if err != nil {
		return j.writing(err)
	}
	if result.MatchedCount == 0 {
		return apply.ErrLeaseLost
	}
	return nil
}

// Unfinished returns the runs that were begun and not ended, the newest first.
func (j *Journal) Unfinished(ctx context.Context) ([]zones.Run, error) {
	open := bson.M{"status": bson.M{"$in": bson.A{zones.RunGoing, zones.RunFailed}}}
	return j.find(ctx, open, options.Find().SetSort(newestFirst))
}

// newestFirst goes by the servers' time of beginning; the tokens that make IDs are in the order of time as well.
var newestFirst = bson.D{{Key: "started", Value: -1}, {Key: "_id", Value: -1}}

// Runs returns the newest n runs, the newest first.
func (j *Journal) Runs(ctx context.Context, n int) ([]zones.Run, error) {
	return j.find(ctx, bson.D{}, options.Find().SetSort(newestFirst).SetLimit(int64(n)))
}

func (j *Journal) find(ctx context.Context, filter any, o *options.FindOptionsBuilder) ([]zones.Run, error) {
	cursor, err := j.runs.Find(ctx, filter, o)
	var records []record
	if err == nil {
		err = cursor.All(ctx, &records)
	}
	if err != nil {
		return nil, j.catalog.fail("read the journal", "find", journalName, err)
	}
	runs := make([]zones.Run, len(records))
	for i := range records {
		if runs[i], err = j.readParts(ctx, &records[i]); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// LastDone returns the last run that was done, nil if there is none.
func (j *Journal) LastDone(ctx context.Context) (*zones.Run, error) {
	runs, err := j.find(ctx, bson.M{"status": zones.RunDone}, options.Find().SetSort(bson.D{{Key: "ended", Value: -1}, {Key: "_id", Value: -1}}).SetLimit(1))
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return &runs[0], nil
}
