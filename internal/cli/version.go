package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this build",
		Long:  `Print the version of this build: module version, revision of the source, Go version and platform.`,
		Example: `  geoshard version
  geoshard version --output json`,
		RunE: env.shows(func(context.Context, []string) (view, error) { return readBuild(), nil }),
	}
}

// A build is what version shows.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	// Modified says that the source had changes that are not in the revision.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readBuild reads what the Go toolchain has put into the binary.
func readBuild() build {
	b := build{Version: "(unknown)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b.Version, b.Revision, b.Time, b.Modified = info.Main.Version, settings["vcs.revision"], settings["vcs.time"], settings["vcs.modified"] == "true"
	return b
}

func (b build) text(out page) {
	out.printf("geoshard %s\n", b.Version)
	if b.Revision != "" {
		modified := ""
		if b.Modified {
			modified = ", modified"
		}
		out.printf("revision %s (%s%s)\n", b.Revision, b.Time, modified)
	}
	out.printf("%s %s\n", b.Go, b.Platform)
}
