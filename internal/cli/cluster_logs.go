package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster/local"
)

// lookForMore is how often logs --follow looks for new lines.
const lookForMore = 200 * time.Millisecond

func newLogsCommand(env *environment) *cobra.Command {
	var flags struct {
		Follow bool `flag:"follow,oneRun" short:"f" usage:"go on with new lines until Ctrl-C"`
	}
	return withFlags(&cobra.Command{
		Use:   "logs MEMBER",
		Short: "Print a member's log",
		Long:  `Print the log of a member's process, as that process writes it (mongod: one JSON document for each line).`,
		Example: `  geoshard cluster logs nyc/NYC
  geoshard cluster logs router/LON --follow`,
		ValidArgsFunction: complete(1, memberNames),
		RunE: env.onLocal(func(ctx context.Context, c *local.Remote, args []string) error {
			path, err := c.LogPath(args[0])
			if err != nil {
				return err
			}
			return env.printLog(ctx, path, flags.Follow)
		}),
	}, &flags)
}

// printLog copies a log to the standard output; to follow is to do so until the context ends.
func (e *environment) printLog(ctx context.Context, path string, follow bool) error {
	log, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer func() { _ = log.Close() }()
	again := time.Tick(lookForMore)
	for {
		if _, err := io.Copy(e.stdout, log); err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil // the cluster is down, and its logs with it
		}
	}
}
