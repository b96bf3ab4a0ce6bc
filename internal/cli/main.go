package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// rereadsOnHangUp is the annotation of commands that read their files again on SIGHUP, as servers do.
const rereadsOnHangUp = "rereadsOnHangUp"

// Main runs one command line, without the program's name, and returns its exit code.
//
// The first interrupt (Ctrl-C, SIGTERM, SIGHUP) ends the command's context, so that it can clean up; the second one has the
// system's usual effect. Commands with the annotation rereadsOnHangUp take SIGHUP otherwise.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	env := newEnvironment(args, stdin, stdout, stderr)
	root := newRootCommand(env)
	root.SetArgs(args)

	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if cmd, _, err := root.Find(args); err != nil || cmd.Annotations[rereadsOnHangUp] == "" {
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, ends...)
	defer stop()
	context.AfterFunc(ctx, stop)
	return env.finish(root.ExecuteContext(ctx))
}
