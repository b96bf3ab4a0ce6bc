package clients_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
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

func TestMongosh(t *testing.T) { testClient(t, clients.Mongosh) }

func TestPyMongo(t *testing.T) { testClient(t, clients.PyMongo) }

// testClient runs every script of a client against the plain replica set and through the query router, and compares.
func testClient(t *testing.T, get func(context.Context) (*clients.Client, error)) {
	c := need(t, get)
	plain := place{name: "plain", uri: startPlain(t, 1).URI()}
	router := place{name: "router", uri: routerURI(t), sharded: true}
	total := 0
	for _, name := range scripts(t, c) {
		t.Run(name, func(t *testing.T) {
			var want clients.Report
			if !slices.Contains(shardedOnly, name) {
				t.Run(plain.name, func(t *testing.T) { want = runScript(t, c, name, plain) })
			}
			var got clients.Report
			t.Run(router.name, func(t *testing.T) { got = runScript(t, c, name, router) })
			total += len(got.Checks)
			if !slices.Contains(shardedOnly, name) {
				t.Run("alike", func(t *testing.T) {
					for _, d := range clients.Differences(got, want) {
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // a first installation takes about 40 s
	defer cancel()
	c, err := get(ctx)
	switch {
	case err == nil:
		return c
	case errors.Is(err, clients.ErrMissing) && !enabled(requireEnv):
		t.Skipf("NOT TESTED: %v; %s=1 makes this a failure", err, requireEnv)
	default:
		t.Fatal(err)
	}
	return nil
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
	database := databaseOf(c, name)
	return clients.Script{
		Path: filepath.Join(c.Name, name+c.Extension),
		URI:  withDatabase(at.uri, database),
		Env:  []string{"CLIENTS_TOPOLOGY=" + at.kind(), "CLIENTS_DB=" + database},
	}
}

func databaseOf(c *clients.Client, name string) string { return c.Name + "_" + name }

// runScript runs a script and makes each check a subtest. The script's database is dropped afterwards.
func runScript(t *testing.T, c *clients.Client, name string, at place) clients.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	began := time.Now()
	report, err := c.Run(ctx, script(c, name, at))
	judge(t, report, err)
	t.Logf("%d checks in %.1fs", len(report.Checks), time.Since(began).Seconds())
	dropDatabase(t, at, databaseOf(c, name))
	return report
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
