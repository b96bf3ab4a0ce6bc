package clients_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/e2e/clients"
)

// requireEnv=1 makes a missing client a failure.
const requireEnv = "GEOSHARD_REQUIRE_CLIENTS"

// scriptTimeout bounds one script, far above what any needs, so that a hang has an end and a name.
const scriptTimeout = 4 * time.Minute

// shardedOnly are the scripts whose subject exists only behind a query router. Every other one runs against a plain replica set, too.
var shardedOnly = []string{"explain", "hello", "sharding", "targeting"}

// ownTest are scripts that a test of their own runs.
var ownTest = []string{failoverScript}

// A place is something to run scripts against.
type place struct {
	name    string
	uri     string
	sharded bool
}

// The clients run side by side: each has databases of its own, and what a script changes for the whole cluster is kept apart by alone.
func TestMongosh(t *testing.T) { testClient(t, clients.Mongosh) }

func TestPyMongo(t *testing.T) { testClient(t, clients.PyMongo) }

// alone is held by a script that stops the balancer, changes zones and asks about all collections, which belong to the whole cluster; the others
// share it. The server fails $shardedDataDistribution when any collection is dropped meanwhile.
var alone sync.RWMutex

// testClient runs every script of a client against the plain replica set and through the query router at the same time, and compares.
func testClient(t *testing.T, get func(context.Context) (*clients.Client, error)) {
	t.Parallel()
	c := need(t, get) // the first installation takes a while, in which the other test starts the cluster
	plain := place{name: "plain", uri: startPlain(t, 1).URI()}
	router := place{name: "router", uri: routerURI(t), sharded: true}
	total := 0
	for _, name := range scripts(t, c) {
		t.Run(name, func(t *testing.T) {
			if name == "sharding" {
				alone.Lock()
				defer alone.Unlock()
			} else {
				alone.RLock()
				defer alone.RUnlock()
			}
			compared := !slices.Contains(shardedOnly, name)
			var want, got outcome
			var both sync.WaitGroup
			if compared {
				both.Go(func() { want = runScript(t.Context(), c, name, plain) })
			}
			got = runScript(t.Context(), c, name, router)
			both.Wait()
			if compared {
				t.Run(plain.name, func(t *testing.T) { want.judge(t, c, name, plain) })
			}
			t.Run(router.name, func(t *testing.T) { got.judge(t, c, name, router) })
			total += len(got.report.Checks)
			if compared {
				t.Run("alike", func(t *testing.T) {
					for _, d := range clients.Differences(got.report, want.report) {
						t.Error(d)
					}
				})
			}
		})
	}
	t.Logf("%s %s: %d checks through the query router", c.Name, c.Version, total)
}

// need returns the client. Where it cannot be had because a program is missing, the test is skipped with the reason, or fails if clients are required.
func need(t *testing.T, get func(context.Context) (*clients.Client, error)) *clients.Client {
	t.Helper()
	c, err := install(t, get)
	if err != nil {
		t.Skip(err)
	}
	return c
}

// scripts are the names of a client's scripts in alphabetical order. Each name that the lists above mention must be there.
func scripts(t *testing.T, c *clients.Client) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.Name, "*"+c.Extension))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), c.Extension); name != "check" {
			names = append(names, name)
		}
	}
	for _, name := range ownTest {
		if !slices.Contains(names, name) {
			t.Errorf("%s has no script %s", c.Name, name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(ownTest, name) })
}

// script is one run of a script, in a database of its own that has the client's and the script's names.
func script(c *clients.Client, name string, at place) clients.Script {
	return scriptIn(c, name, at, databaseOf(c, name))
}

func scriptIn(c *clients.Client, name string, at place, database string) clients.Script {
	return clients.Script{
		Path: filepath.Join(c.Name, name+c.Extension),
		URI:  withDatabase(at.uri, database),
		Env:  []string{"CLIENTS_TOPOLOGY=" + at.kind(), "CLIENTS_DB=" + database},
	}
}

func databaseOf(c *clients.Client, name string) string { return c.Name + "_" + name }

// An outcome is what came of a script.
type outcome struct {
	report clients.Report
	err    error
	took   time.Duration
}

func runScript(ctx context.Context, c *clients.Client, name string, at place) (o outcome) {
	ctx, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	began := time.Now()
	o.report, o.err = c.Run(ctx, script(c, name, at))
	o.took = time.Since(began)
	return o
}

// judge makes each check of a script a subtest. The script's database is dropped afterwards.
func (o outcome) judge(t *testing.T, c *clients.Client, name string, at place) {
	t.Helper()
	judge(t, o.report, o.err)
	t.Logf("%d checks in %.1fs", len(o.report.Checks), o.took.Seconds())
	dropDatabase(t, at, databaseOf(c, name))
}

// judge makes each check of a report a subtest, and an error of the run an error of the test.
func judge(t *testing.T, report clients.Report, err error) {
	t.Helper()
	for _, n := range report.Notes {
		t.Log(n)
	}
	for _, check := range report.Checks {
		t.Run(check.Name, func(t *testing.T) {
			if !check.OK {
				t.Error(check.Detail)
			}
		})
	}
	if err != nil {
		t.Errorf("%v\n%s", err, strings.Join(report.Noise, "\n"))
	}
}

func (p place) kind() string {
	if p.sharded {
		return "sharded"
	}
	return "replicaset"
}

// withDatabase puts a database into a connection string that names none.
func withDatabase(uri, database string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	hosts, query, _ := strings.Cut(rest, "?")
	return scheme + "://" + strings.TrimSuffix(hosts, "/") + "/" + database + "?" + query
}

func dropDatabase(t *testing.T, at place, database string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := dial(t, at.uri).Database(database).RunCommand(ctx, bson.D{{Key: "dropDatabase", Value: 1}}).Err(); err != nil {
		t.Errorf("drop the database of the script: %v", err)
	}
}
