package cli

import (
	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/topology"
)

const (
	// schemaFile stands beside a topology document, so that an editor finds it without a network and in the version of this program.
	schemaFile = "geoshard.schema.json"
	// schemaLine is what editors with the YAML language server look for in a document.
	schemaLine = "# yaml-language-server: $schema=" + schemaFile + "\n"
)

func newSchemaCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of geoshard.yaml, for editors",
		Long: `Print the JSON Schema (draft 7) of geoshard.yaml. Editors that know it complete keys, explain them, and mark what has the wrong name or type
while it is typed. It knows the shape of a document and not what its parts say of each other: geoshard validate checks everything.

geoshard init --schema writes it beside a new document. For one that exists, write it to ` + schemaFile + ` and put this line at the top of the document:

  ` + schemaLine,
		Example: `  geoshard schema
  geoshard schema > ` + schemaFile,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.stdout.Write(topology.Schema())
			return err
		},
	}
}
