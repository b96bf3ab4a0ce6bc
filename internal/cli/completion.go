package cli

import (
	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletionCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a completion script for a shell",
		Long: `Print a completion script for bash, zsh, fish or powershell. It completes commands and flags, names of presets, zones and datacenters of
the topology, and, while a cluster runs, its members.`,
		Example: `  source <(geoshard completion bash)
  geoshard completion zsh > "${fpath[1]}/_geoshard"
  geoshard completion fish > ~/.config/fish/completions/geoshard.fish
  geoshard completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(env.stdout, true)
			case "zsh":
				return root.GenZshCompletion(env.stdout)
			case "fish":
				return root.GenFishCompletion(env.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(env.stdout)
			}
			return hint.Errorf(spelling.Hint(args[0], shells, "the shells are bash, zsh, fish and powershell"), "unknown shell %q", args[0])
		},
	}
}
