package clustertest

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var upsert = options.UpdateOne().SetUpsert(true)

// rest paces a load or a series of looks; it ends early with the test.
func rest(t *testing.T, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
