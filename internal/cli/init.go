package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

const (
	// schemaFile stands beside a topology document, so that an editor finds it without a network and in the version of this program.
	schemaFile = "geoshard.schema.json"
	// schemaLine is what editors with the YAML language server look for in a document.
	schemaLine = "# yaml-language-server: $schema=" + schemaFile + "\n"
)

// initFlags are the flags of init.
type initFlags struct {
	Preset string `flag:"preset,oneRun" complete:"presets" usage:"the preset to write"`
	Force  bool   `flag:"force,oneRun" usage:"overwrite an existing file"`
	Schema bool   `flag:"schema,oneRun" usage:"write the JSON Schema for editors as well"`
}

func newInitCommand(env *environment) *cobra.Command {
	flags := initFlags{Preset: configs.Default}
	return withFlags(&cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a preset as a topology document to begin with",
		Long: `Write a preset with its comments to a file (default geoshard.yaml; - for the standard output). An existing file is kept unless --force is given.

--schema writes the JSON Schema as well, to geoshard.schema.json beside the file, and begins the file with a line that tells editors of it.

The presets:
  nyc-lon-syd    three datacenters on three continents; survives the loss of one
  us-east-west   two datacenters in the United States and a voter
  ebay           local reads and writes as a pattern for many collections
  yougov         write local, read global: many countries in two zones
  ogilvy         two active datacenters and one for disaster recovery`,
		Example: `  geoshard init
  geoshard init --preset us-east-west east-west.yaml
  geoshard init --preset ogilvy -
  geoshard init --schema worlds/eu.yaml`,
		RunE: func(_ *cobra.Command, args []string) error {
			file := defaultFile
			if len(args) > 0 {
				file = args[0]
			}
			text, err := configs.Read(flags.Preset)
			if err != nil {
				return err
			}
			if file == "-" && flags.Schema {
				return hint.Errorf("name a file, or run geoshard schema", "--schema writes a file beside the document, and the standard output has no place")
			}
			if file == "-" {
				_, err := env.stdout.Write(text)
				return err
			}
			if flags.Schema {
				err = flags.writeWithSchema(file, text)
			} else {
				err = writeNew(file, text, flags.Force)
			}
			if err != nil {
				return err
			}
			return env.show(written{File: file, Preset: flags.Preset})
		},
	}, &flags)
}

// writeWithSchema writes a document that tells editors of the schema, and the schema beside it.
func (f initFlags) writeWithSchema(file string, text []byte) error {
	schema := filepath.Join(filepath.Dir(file), schemaFile)
	if !f.Force {
		if err := replaceableSchema(schema); err != nil {
			return err
		}
	}
	if err := writeNew(file, append([]byte(schemaLine), text...), f.Force); err != nil {
		return err
	}
	return writeNew(schema, topology.Schema(), true)
}

// replaceableSchema returns an error where a file stands that is not a schema of ours, of whatever version.
func replaceableSchema(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var have, ours struct {
		ID string `json:"$id"`
	}
	if err == nil && json.Unmarshal(text, &have) == nil && json.Unmarshal(topology.Schema(), &ours) == nil && have == ours {
		return nil
	}
	return hint.Errorf("move it away, or overwrite it with --force", "%s exists already and is not the schema", file)
}

// writeNew writes a file that does not exist yet, or any with force.
func writeNew(file string, text []byte, force bool) error {
	existing := os.O_EXCL
	if force {
		existing = os.O_TRUNC
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|existing, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return hint.Errorf("name another file, or overwrite it with --force", "%s exists already", file)
	}
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// A written is what init shows.
type written struct {
	File   string `json:"file"`
	Preset string `json:"preset"`
}

func (v written) text(out page) {
	out.printf("wrote %s (preset %s)\n\nnext:\n", v.File, v.Preset)
	for _, step := range [][2]string{
		{"geoshard validate " + v.File, "after each change"},
		{"geoshard cluster up -f " + v.File, "a real cluster on this machine"},
		{"geoshard cluster status", "who is primary where"},
	} {
		out.printf("  %-40s %s\n", step[0], out.faint("# "+step[1]))
	}
}

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
