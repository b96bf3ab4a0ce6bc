package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

func newShellCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "shell [DATACENTER] [-- ARGUMENTS]",
		Short: "Open mongosh on a datacenter's query router",
		Long: `Open mongosh as a client of a datacenter: on its query router (default: the first datacenter that has one), logged in where the cluster has
users. What follows -- goes to mongosh.`,
		Example: `  geoshard cluster shell
  geoshard cluster shell LON
  geoshard cluster shell LON -- --quiet --eval sh.status()`,
		Args: func(cmd *cobra.Command, args []string) error {
			own, _ := splitAtDash(cmd, args)
			return arguments("[DATACENTER]")(cmd, own)
		},
		ValidArgsFunction: complete(1, routedIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := attach(cmd)
			if err != nil {
				return err
			}
			own, rest := splitAtDash(cmd, args)
			dc := append(own, spelling.Texts(routedIDs(c.Topology()))...)[0] // a valid topology has an active datacenter
			uri, err := routerURI(c, topology.DatacenterID(dc), withSecrets)
			if err != nil {
				return err
			}
			return env.mongosh(uri, rest)
		},
	}
}

// splitAtDash parts the arguments at --.
func splitAtDash(cmd *cobra.Command, args []string) (own, rest []string) {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		return slices.Clip(args[:dash]), args[dash:]
	}
	return args, nil
}

// shellURIEnv carries the connection string to the shell: everybody can read a process's arguments.
const shellURIEnv = "GEOSHARD_SHELL_URI"

// shellArguments make mongosh connect to what shellURIEnv says. Where the arguments run something, mongosh ends afterwards, as it does by itself.
func shellArguments(args []string) []string {
	own := []string{"--nodb", "--eval", "db = connect(process.env." + shellURIEnv + "); delete process.env." + shellURIEnv + "; undefined"}
	runs := func(arg string) bool {
		name, _, _ := strings.Cut(arg, "=")
		return name == "--eval" || name == "--file" || arg == "-f" || !strings.HasPrefix(arg, "-")
	}
	if slices.ContainsFunc(args, runs) {
		return own
	}
	return append(own, "--shell")
}

// mongosh runs the shell in the foreground.
func (e *environment) mongosh(uri string, args []string) error {
	path, err := exec.LookPath("mongosh")
	if err != nil {
		fmt.Fprintln(e.stdout, uri)
		return hint.Errorf("install it (npm install -g mongosh, Node 20 or later), or give the connection string to another client", "mongosh is not installed, so only the connection string is printed")
	}
	// Ctrl-C is for the shell: it stops a query there. Caught and dropped here, unlike ignored, it has its default effect in the child.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)

	shell := exec.Command(path, append(shellArguments(args), args...)...)
	shell.Env = append(os.Environ(), shellURIEnv+"="+uri)
	shell.Stdin, shell.Stdout, shell.Stderr = e.stdin, e.stdout, e.stderr
	var exit *exec.ExitError
	switch err := shell.Run(); {
	case errors.As(err, &exit):
		return fmt.Errorf("mongosh: %w", exit)
	case err != nil:
		return fmt.Errorf("run mongosh: %w", err)
	}
	return nil
}
