package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/geoshard/geoshard/internal/devmongos"
)

// The environment of a re-executed child: what it is, and its configuration as JSON.
const (
	childEnv        = "GEOSHARD_CHILD"
	childConfigEnv  = "GEOSHARD_CHILD_CONFIG"
	childRouter     = "router"
	childSupervisor = "supervisor"
)

var childMainCalled atomic.Bool

// ChildMain runs this process as a query router or a detached supervisor, if that is what it was started for, and does
// not return then. Otherwise it returns at once. Call it first thing in main and in TestMain of programs that start
// clusters: both are re-executed copies of the program, so that there is one binary to install.
func ChildMain() {
	childMainCalled.Store(true)
	what := os.Getenv(childEnv)
	if what == "" {
		return
	}
	config := []byte(os.Getenv(childConfigEnv))
	_ = os.Unsetenv(childEnv) // or the children of this child would take it for theirs
	_ = os.Unsetenv(childConfigEnv)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch what {
	case childRouter:
		err = runRouter(ctx, config)
	case childSupervisor:
		err = runSupervisor(ctx)
	default:
		err = fmt.Errorf("unknown child %q", what)
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case addressInUse(err):
		return addressInUseExit
	default:
		slog.Error("child ends", "error", err)
		return 1
	}
}

// childCommand runs this program anew, as such a child.
func childCommand(what string, arguments ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	cmd := exec.Command(self, arguments...)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	return cmd, nil
}

func runRouter(ctx context.Context, encoded []byte) error {
	var place devmongos.Place
	if err := json.Unmarshal(encoded, &place); err != nil {
		return fmt.Errorf("decode the place of the query router: %w", err)
	}
	return devmongos.Main(ctx, os.Args[1:], place)
}
