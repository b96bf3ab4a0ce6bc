package clients_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/e2e/clients"
	"github.com/geoshard/geoshard/internal/testkit"
)

// settle is how long the scripts write on after the new primary is there, so that the writes to it are many.
const settle = time.Second

// The script, and its check of the errors.
const (
	failoverScript = "failover"
	noErrors       = "no error reached the client"
)

// TestFailover kills a primary while all clients write with retries: once in a plain replica set, and once through the query router. In the plain set one
// client does not retry, and shows that the script can fail: errors reach it.
func TestFailover(t *testing.T) {
	installed := available(t)
	t.Run("plain", func(t *testing.T) {
		set := startPlain(t, 3)
		var all []*writing
		for _, c := range installed {
			all = append(all, &writing{client: c, at: place{name: "plain", uri: set.URI()}})
		}
		careless := &writing{client: installed[len(installed)-1], at: place{name: "without retries", uri: set.URI() + "&retryWrites=false"}, database: "careless"}
		duringKill(t, append(all, careless), func(ctx context.Context) { set.killPrimary(ctx, t) })
		for _, w := range all {
			// A driver repeats a write once; in an election that is not always enough, so an error is allowed here. The query router has to do better.
			w.report.Checks = slices.DeleteFunc(w.report.Checks, func(c clients.Check) bool {
				if c.Name == noErrors && !c.OK {
					t.Logf("%s: %s: %s", w.client.Name, c.Name, c.Detail)
				}
				return c.Name == noErrors
			})
			w.judge(t)
		}
		t.Run("without retries", func(t *testing.T) {
			if careless.err != nil {
				t.Fatal(careless.err)
			}
			if !slices.ContainsFunc(careless.report.Checks, func(c clients.Check) bool { return c.Name == noErrors && !c.OK }) {
				t.Errorf("no error reached a client that does not retry: %+v", careless.report.Checks)
			}
		})
	})
	t.Run("router", func(t *testing.T) {
		clustertest.Needs(t, "a member that it may kill")
		cluster := world.Start(t)
		at := place{name: "router", uri: routerURI(t), sharded: true}
		var all []*writing
		for _, c := range installed {
			all = append(all, &writing{client: c, at: at})
		}
		duringKill(t, all, func(context.Context) {
			killed, _ := clustertest.KillPrimary(t, cluster, mortal)
			t.Cleanup(func() { // where the test's context has ended
				if err := cluster.Start(context.WithoutCancel(t.Context()), killed.Name); err != nil {
					t.Errorf("start %s again: %v", killed.Name, err)
				}
			})
		})
		for _, w := range all {
			w.judge(t)
			dropDatabase(t, at, databaseOf(w.client, failoverScript))
		}
	})
}

// A writing is one client that runs the failover script.
type writing struct {
	client *clients.Client
	at     place
	// database is the script's; empty = the client's and the script's names.
	database string
	report   clients.Report
	err      error
	// began is closed when it writes, ended when it has ended.
	began, ended chan struct{}
}

func (w *writing) judge(t *testing.T) {
	t.Run(w.client.Name, func(t *testing.T) { judge(t, w.report, w.err) })
}

// run runs the script until the file stop is there.
func (w *writing) run(ctx context.Context, stop string) {
	defer close(w.ended)
	s := script(w.client, failoverScript, w.at)
	if w.database != "" {
		s = scriptIn(w.client, failoverScript, w.at, w.database)
	}
	s.Env = append(s.Env, "CLIENTS_STOP="+stop)
	s.Each = func(line string) {
		if line == "# writing" {
			close(w.began)
		}
	}
	w.report, w.err = w.client.Run(ctx, s)
}

// duringKill lets clients write side by side, kills a primary when all have begun to, and lets them end some time after kill has returned.
func duringKill(t *testing.T, all []*writing, kill func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	stop := filepath.Join(t.TempDir(), "stop")
	for _, w := range all {
		w.began, w.ended = make(chan struct{}), make(chan struct{})
		go w.run(ctx, stop)
	}
	// However this ends, the scripts are told to stop and waited for.
	defer func() {
		if err := os.WriteFile(stop, nil, 0o600); err != nil {
			t.Errorf("tell the scripts to stop: %v", err)
		}
		for _, w := range all {
			<-w.ended
		}
	}()
	for _, w := range all {
		select {
		case <-w.began:
		case <-w.ended:
			t.Errorf("the script of %s (%s) ended before it wrote", w.client.Name, w.at.name)
			return
		}
	}
	kill(ctx)
	testkit.Pause(ctx, settle)
}

// available are the clients that can be had here. One that is missing is told, or fails the test if clients are required.
func available(t *testing.T) (all []*clients.Client) {
	t.Helper()
	for _, get := range []func(context.Context) (*clients.Client, error){clients.Mongosh, clients.PyMongo} {
		c, err := install(t, get)
		if err != nil {
			t.Log(err)
			continue
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		t.Skip("NOT TESTED: there is no client at all")
	}
	return all
}

// install returns a client, or, where it may be missing, the reason why it is. Every other error ends the test.
func install(t *testing.T, get func(context.Context) (*clients.Client, error)) (*clients.Client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // a first installation takes about 40 s
	defer cancel()
	c, err := get(ctx)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, clients.ErrMissing) && !enabled(requireEnv):
		return nil, fmt.Errorf("NOT TESTED: %w; %s=1 makes this a failure", err, requireEnv)
	}
	t.Fatal(err)
	return nil, nil
}
