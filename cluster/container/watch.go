package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/testcontainers/testcontainers-go"
)

// watchEnv makes a copy of this program the watcher of the cluster with that ID.
const watchEnv = "GEOSHARD_CONTAINER_WATCH"

// A copy of the program that uses this package watches over it. It begins here, before anything of the program's own, so that tests need
// no TestMain for it.
func init() {
	if id := os.Getenv(watchEnv); id != "" {
		if err := watch(id); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// watch waits until the program that started it ends, in whatever way: its end of the pipe is closed then. What it left is removed.
func watch(id string) error {
	_, _ = io.Copy(io.Discard, os.Stdin)
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close() }()
	return removeCluster(context.Background(), provider.Client(), id)
}

// A watcher is the copy, as its program sees it.
type watcher struct {
	cmd  *exec.Cmd
	pipe io.Closer
}

func startWatcher(id string) (*watcher, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), watchEnv+"="+id)
	cmd.SysProcAttr = ownSession() // an interrupt from the keyboard is not for it
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start the watcher: %w", err)
	}
	return &watcher{cmd: cmd, pipe: pipe}, nil
}

// stop ends the watcher; it finds nothing left to do when the cluster was closed.
func (w *watcher) stop() error {
	if w == nil {
		return nil
	}
	if err := errors.Join(w.pipe.Close(), w.cmd.Wait()); err != nil {
		return fmt.Errorf("end the watcher: %w", err)
	}
	return nil
}
