package catalog

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/zones"
)

// A Journal keeps the applies of a cluster in the cluster: one document per run, in geoshard.journal.
type Journal struct {
	runs *mongo.Collection
	// explain gives an error its meaning and its hint.
	explain explainer
}

// An explainer makes an error of this package of what a command failed with; see Catalog.fail.
type explainer func(what, command, on string, err error) error

func unexplained(what, _, on string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s (%s): %w", what, on, err)
}

var _ zones.Journal = (*Journal)(nil)

// NewJournal returns the journal of the cluster that client is connected to.
func NewJournal(client *mongo.Client) *Journal {
	return &Journal{runs: durable(client, journalCollection), explain: unexplained}
}

func (j *Journal) writing(err error) error {
	return j.explain("write the journal", "update", journalName, err)
}
func (j *Journal) reading(err error) error {
	return j.explain("read the journal", "find", journalName, err)
}

// Begin writes a run before its first step, or takes over one that was interrupted.
//
// The token goes into the record: whoever had the run before matches nothing from then on. The runs that are replaced get it first, so that their
// holders, if they live, are stopped before the new run exists.
func (j *Journal) Begin(ctx context.Context, run zones.Run, replaces []string) error {
	if len(replaces) > 0 {
		fence := bson.D{{Key: "$set", Value: bson.D{{Key: "token", Value: run.Token}}}}
		if _, err := j.runs.UpdateMany(ctx, amongRuns(replaces), fence); err != nil {
			return j.writing(err)
		}
	}
	begin := bson.D{
		{Key: "$set", Value: bson.D{
			{Key: "status", Value: run.Status}, {Key: "owner", Value: run.Owner}, {Key: "token", Value: run.Token},
			{Key: "holds", Value: run.Holds}, {Key: "error", Value: run.Error},
		}},
		{Key: "$unset", Value: bson.D{{Key: "ended", Value: ""}}},
		{Key: "$setOnInsert", Value: bson.D{
			{Key: "plan", Value: run.Plan}, {Key: "stateHash", Value: run.StateHash}, {Key: "started", Value: run.Started},
			{Key: "before", Value: run.Before}, {Key: "after", Value: run.After}, {Key: "steps", Value: run.Steps},
		}},
	}
	if _, err := j.runs.UpdateOne(ctx, bson.D{{Key: "_id", Value: run.ID}}, begin, options.UpdateOne().SetUpsert(true)); err != nil {
		return j.writing(err)
	}
	if len(replaces) == 0 {
		return nil
	}
	closed := bson.D{
		{Key: "$set", Value: bson.D{{Key: "status", Value: zones.RunReplaced}}},
		{Key: "$currentDate", Value: bson.D{{Key: "ended", Value: true}}},
	}
	_, err := j.runs.UpdateMany(ctx, amongRuns(replaces), closed)
	return j.writing(err)
}

func amongRuns(ids []string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
}

// Mark writes where a run stands. The steps are written one by one: a plan may have thousands.
func (j *Journal) Mark(ctx context.Context, run zones.Run, steps ...int) error {
	set := bson.D{{Key: "status", Value: run.Status}, {Key: "error", Value: run.Error}, {Key: "holds", Value: run.Holds}}
	written := map[int]bool{}
	for _, i := range steps {
		if !written[i] { // MongoDB refuses to set one field twice
			set = append(set, bson.E{Key: fmt.Sprintf("steps.%d", i), Value: run.Steps[i]})
		}
		written[i] = true
	}
	update := bson.D{{Key: "$set", Value: set}}
	if run.Status != zones.RunGoing {
		update = append(update, bson.E{Key: "$currentDate", Value: bson.D{{Key: "ended", Value: true}}})
	}
	ours := bson.D{{Key: "_id", Value: run.ID}, {Key: "token", Value: run.Token}}
	result, err := j.runs.UpdateOne(ctx, ours, update)
	if err != nil {
		return j.writing(err)
	}
	if result.MatchedCount == 0 {
		return zones.ErrLeaseLost
	}
	return nil
}

// Unfinished returns the runs that were begun and not ended, the newest first.
func (j *Journal) Unfinished(ctx context.Context) ([]zones.Run, error) {
	open := bson.D{{Key: "status", Value: bson.D{{Key: "$in", Value: bson.A{zones.RunGoing, zones.RunFailed}}}}}
	return j.find(ctx, open, options.Find().SetSort(newestFirst))
}

// newestFirst goes by the servers' time of beginning; the tokens that make IDs are in the order of time as well.
var newestFirst = bson.D{{Key: "started", Value: -1}, {Key: "_id", Value: -1}}

// Runs returns the newest n runs, the newest first.
func (j *Journal) Runs(ctx context.Context, n int) ([]zones.Run, error) {
	return j.find(ctx, bson.D{}, options.Find().SetSort(newestFirst).SetLimit(int64(n)))
}

func (j *Journal) find(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder) ([]zones.Run, error) {
	cursor, err := j.runs.Find(ctx, filter, o)
	if err != nil {
		return nil, j.reading(err)
	}
	var runs []zones.Run
	if err := cursor.All(ctx, &runs); err != nil {
		return nil, j.reading(err)
	}
	return runs, nil
}

// LastDone returns the last run that was done, nil if there is none.
func (j *Journal) LastDone(ctx context.Context) (*zones.Run, error) {
	var run zones.Run
	err := j.runs.FindOne(ctx, bson.D{{Key: "status", Value: zones.RunDone}},
		options.FindOne().SetSort(bson.D{{Key: "ended", Value: -1}, {Key: "_id", Value: -1}})).Decode(&run)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, j.reading(err)
	}
	return &run, nil
}

// LastApplied returns the layout of the last run that was done, nil if there is none.
func (j *Journal) LastApplied(ctx context.Context) (*zones.Layout, error) {
	return zones.LastApplied(ctx, j)
}
