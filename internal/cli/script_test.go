package cli_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/cli"
	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/internal/testkit"
)

func TestMain(m *testing.M) {
	local.ChildMain()
	testscript.Main(m, map[string]func(){
		"geoshard": func() {
			os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"waitfor":   func() { os.Exit(waitForCluster(os.Args[2])) },
		"exitcode":  func() { os.Exit(checkExitCode(os.Args[1], os.Args[2:])) },
		"interrupt": func() { os.Exit(interruptAt(os.Args[1], os.Args[2:])) },
		"fill":      func() { os.Exit(fillCluster(os.Args[1], os.Args[2])) },
		"memberuri": func() { os.Exit(printMemberURI(os.Args[1], os.Args[2])) },
	})
}

// waitForCluster waits until a cluster is ready.
func waitForCluster(name string) int {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if err := testkit.Await(ctx, "cluster "+name, func(ctx context.Context) error {
		_, err := local.Attach(ctx, name, "")
		return err
	}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestScripts runs the command lines of testdata/script. Each script has its own home, so no settings and no clusters of the
// machine are seen.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       os.Getenv("GEOSHARD_GOLDEN") == "rewrite",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".cache"))
			return nil
		},
	})
}

// TestRunningCluster runs the command lines of testdata/running, each with a real cluster of its own.
func TestRunningCluster(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	tools, err := mongobin.Ensure(t.Context(), mongobin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "running"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			program, err := exec.LookPath("geoshard")
			if err != nil {
				return err
			}
			state := filepath.Join(e.WorkDir, "state")
			for name, value := range map[string]string{
				"HOME": e.WorkDir, "XDG_CONFIG_HOME": e.WorkDir, "GEOSHARD": program,
				local.StateDirEnv: state, "GEOSHARD_MONGOD": tools.Mongod, "GEOSHARD_MONGOS": tools.Mongos,
			} {
				e.Setenv(name, value)
			}
			e.Defer(func() { // a script that failed half-way leaves its cluster
				for _, name := range []string{"small", "fore", "secure", "zoned"} {
					if err := local.Down(context.Background(), name, state); err != nil && !errors.Is(err, cluster.ErrNotRunning) {
						t.Errorf("clean up: %v", err)
					}
				}
			})
			return nil
		},
	})
}
