package clustertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/testkit"
)

// Await waits until a cluster's status is as wanted, and returns it; the test ends, with the members as they are, when
// that does not come within [testkit.Patience].
func Await(t testing.TB, c cluster.Watched, what string, wanted func(cluster.Status) bool) cluster.Status {
	t.Helper()
	var status cluster.Status
	took := testkit.EventuallyNil(t, testkit.Patience, what, func(ctx context.Context) (err error) {
		if status, err = c.Status(ctx); err != nil {
			return err
		}
		if !wanted(status) {
			return fmt.Errorf("the cluster as it is now:\n%s", describe(status))
		}
		return nil
	})
	t.Logf("%s: after %s", what, took.Round(time.Millisecond))
	return status
}

// AwaitWhole waits until every member works and every primary is at home.
func AwaitWhole(t testing.TB, c cluster.Watched) cluster.Status {
	t.Helper()
	return Await(t, c, "all members up, all primaries at home", cluster.Status.Whole)
}
