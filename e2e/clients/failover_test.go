package clients_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/geoshard/geoshard/e2e/clients"
)

// settle is how long the script writes on after the new primary is there, so that the writes to it are many.
const settle = time.Second

// TestMongoshFailover and TestPyMongoFailover kill a primary while the client writes with retries, in a plain replica set and through the query router.
func TestMongoshFailover(t *testing.T) { testFailover(t, clients.Mongosh) }

func TestPyMongoFailover(t *testing.T) { testFailover(t, clients.PyMongo) }

func testFailover(t *testing.T, get func(context.Context) (*clients.Client, error)) {
	c := need(t, get)
	t.Run("plain", func(t *testing.T) {
		set := startPlain(t, 3)
		at := place{name: "plain", uri: set.URI()}
		report, err := duringKill(t, c, at, func(ctx context.Context) { set.killPrimary(ctx, t) })
		// A driver repeats a write once; in an election that is not always enough, so an error is allowed here. The query router has to do better.
		report.Checks = slices.DeleteFunc(report.Checks, func(c clients.Check) bool {
			if c.Name == noErrors && !c.OK {
				t.Logf("%s: %s", c.Name, c.Detail)
			}
			return c.Name == noErrors
		})
		judge(t, report, err)
	})
	t.Run("router", func(t *testing.T) {
		if os.Getenv(uriEnv) != "" {
			t.Skipf("NOT TESTED: the cluster of %s is not ours to break", uriEnv)
		}
		cluster := startCluster(t)
		at := place{name: "router", uri: routerURI(t), sharded: true}
		report, err := duringKill(t, c, at, func(ctx context.Context) { killPrimary(ctx, t, cluster) })
		judge(t, report, err)
		dropDatabase(t, at, databaseOf(c, failoverScript))
	})
}

// TestFailoverWithoutRetries shows that the script can fail: without retryable writes, errors reach the client.
func TestFailoverWithoutRetries(t *testing.T) {
	c := need(t, clients.PyMongo)
	set := startPlain(t, 3)
	at := place{name: "plain", uri: set.URI() + "&retryWrites=false"}
	report, err := duringKill(t, c, at, func(ctx context.Context) { set.killPrimary(ctx, t) })
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range report.Checks {
		if check.Name == noErrors && !check.OK {
			t.Logf("as it has to be: %s", check.Detail)
			return
		}
	}
	t.Errorf("no error reached a client that does not retry: %+v", report.Checks)
}

// The script, and its check of the errors.
const (
	failoverScript = "failover"
	noErrors       = "no error reached the client"
)

// duringKill runs the failover script, kills a primary when it has begun to write, and lets it end some time after kill has returned.
func duringKill(t *testing.T, c *clients.Client, at place, kill func(context.Context)) (clients.Report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	stop := filepath.Join(t.TempDir(), "stop")
	writing, ended := make(chan struct{}), make(chan struct{})
	s := script(c, failoverScript, at)
	s.Env = append(s.Env, "CLIENTS_STOP="+stop)
	s.Each = func(line string) {
		if line == "# writing" {
			close(writing)
		}
	}
	var report clients.Report
	var err error
	go func() {
		defer close(ended)
		report, err = c.Run(ctx, s)
	}()
	killed := func() bool {
		// However this ends, the script is told to stop and waited for.
		defer func() {
			if err := os.WriteFile(stop, nil, 0o600); err != nil {
				t.Errorf("tell the script to stop: %v", err)
			}
			<-ended
		}()
		select {
		case <-writing:
		case <-ended:
			return false
		}
		kill(ctx)
		select {
		case <-ended:
		case <-time.After(settle):
		}
		return true
	}()
	if !killed {
		t.Error("the script ended before it wrote")
	}
	return report, err
}
