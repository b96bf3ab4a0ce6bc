package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main runs one command line, without the program's name, and returns its exit code.
//
// The first interrupt (Ctrl-C, SIGTERM, SIGHUP) ends the command's context, so that it can clean up; the second one has the
// system's usual effect.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)

	env := newEnvironment(args, stdin, stdout, stderr)
	root := newRootCommand(env)
	root.SetArgs(args)
	return env.finish(root.ExecuteContext(ctx))
}
