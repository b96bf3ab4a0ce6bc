package consistency

import (
	"context"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/hint"
)

// A Watch collects the sightings of one context. It is safe for concurrent use.
type Watch struct {
	mu        sync.Mutex
	sightings []Sighting // guarded by mu
}

type watchKey struct{}

// Observe returns a context whose commands are seen by the Watch, as far as their client has a [Witness].
func Observe(ctx context.Context) (context.Context, *Watch) {
	watch := &Watch{}
	return context.WithValue(ctx, watchKey{}, watch), watch
}

func (w *Watch) add(s Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sightings = append(w.sightings, s)
}

// All returns the answered commands so far, in the order of their answers.
func (w *Watch) All() []Sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sightings)
}

// Last returns the command that was answered last.
func (w *Watch) Last() (Sighting, bool) {
	all := w.All()
	if len(all) == 0 {
		return Sighting{}, false
	}
	return all[len(all)-1], true
}

// PrimaryTime asks the primary of a replica set for its newest operation. An answer whose OperationTime is not before that lacked nothing at that
// moment; it takes the round trip that local reads save, so it is for tests and measurements. The client has to be connected to the set
// itself: a query router has no such time, and the error is [ErrNoOperation].
func PrimaryTime(ctx context.Context, client *mongo.Client) (bson.Timestamp, error) {
	reply, err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}, options.RunCmd().SetReadPreference(readpref.Primary())).Raw()
	if err != nil {
		return bson.Timestamp{}, err
	}
	newest, _ := timestamp(reply, "lastWrite", "opTime", "ts")
	if newest.IsZero() {
		return newest, hint.New(ErrNoOperation, "connect to the replica set itself, not to a query router")
	}
	return newest, nil
}
