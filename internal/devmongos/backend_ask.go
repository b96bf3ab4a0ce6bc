package devmongos

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// errNoDocument is returned by findOne when nothing matches.
var errNoDocument = errors.New("no document found")

// tell runs an administrative command on the primary; an answer with ok: 0 is a *replyError. The command must
// be one that may be repeated after an election. The answer is the caller's to keep.
func (s *replicaSet) tell(ctx context.Context, db string, cmd bson.D) (bsoncore.Document, error) {
	encoded, err := commandOn(db, cmd)
	if err != nil {
		return nil, err
	}
	return answerOf(s.onPrimary(ctx, encoded, true))
}

// findAll reads the documents of the config servers with these fields that a majority holds.
func (s *replicaSet) findAll(ctx context.Context, collection string, filter ...any) ([]bson.Raw, error) {
	answer, err := s.tell(ctx, "config", fields(
		"find", collection, "filter", fields(filter...), "batchSize", 10_000, "readConcern", fields("level", "majority"),
	))
	var found []bson.Raw
	for batch := "firstBatch"; err == nil; batch = "nextBatch" {
		for _, v := range batchOf(answer, batch) {
			found = append(found, bson.Raw(v.Data))
		}
		id, _ := cursorID(answer)
		if id == 0 {
			return found, nil
		}
		answer, err = s.tell(ctx, "config", fields("getMore", id, "collection", collection))
	}
	return nil, fmt.Errorf("read config.%s: %w", collection, err)
}

// findOne reads one document of the config servers; errNoDocument if there is none.
func (s *replicaSet) findOne(ctx context.Context, collection string, filter ...any) (bsoncore.Document, error) {
	found, err := s.findAll(ctx, collection, filter...)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNoDocument
	}
	return bsoncore.Document(found[0]), nil
}
