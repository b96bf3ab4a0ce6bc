package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// defaultFile is the topology document of the working directory.
const defaultFile = "geoshard.yaml"

// worldFlags are the two ways to name a topology.
type worldFlags struct{ file, preset string }

// whichWorld ends the help of commands that take worldFlags and nothing of a cluster.
const whichWorld = `-f names the topology's file, --preset a preset; without either it is geoshard.yaml of the working directory, or the preset nyc-lon-syd where there
is no such file.`

func (f *worldFlags) add(cmd *cobra.Command, presetUsage, fileUsage string) {
	addPresetFlag(cmd, &f.preset, "", presetUsage)
	addFileFlag(cmd, &f.file, fileUsage)
}

// addPresetFlag adds --preset with the completion of its names.
func addPresetFlag(cmd *cobra.Command, to *string, preset, usage string) {
	cmd.Flags().StringVar(to, "preset", preset, usage)
	_ = cmd.RegisterFlagCompletionFunc("preset", cobra.FixedCompletions(configs.Names(), cobra.ShellCompDirectiveNoFileComp))
	oneRun(cmd.Flags(), "preset")
}

// addFileFlag adds --file, a topology's.
func addFileFlag(cmd *cobra.Command, to *string, usage string) {
	cmd.Flags().StringVarP(to, "file", "f", "", usage)
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	oneRun(cmd.Flags(), "file")
}

// A source is a topology document: a file, or a preset.
type source struct {
	name string // for messages
	text []byte
}

// readSource reads the file, or the preset. Where neither is named it reads geoshard.yaml.
func readSource(file, preset string) (source, error) {
	if file != "" && preset != "" {
		return source{}, hint.New(fmt.Errorf("both the file %s and the preset %s are named", file, preset), "name one of them")
	}
	if preset != "" {
		text, err := configs.Read(preset)
		return source{name: preset, text: text}, err
	}
	if file == "" {
		file = defaultFile
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return source{}, hint.New(fmt.Errorf("there is no file %s", file), "write one with geoshard init, or name a preset with --preset")
	}
	if err != nil {
		return source{}, fmt.Errorf("read topology: %w", err)
	}
	return source{name: file, text: text}, nil
}

// read reads the file or the preset. Where neither is named it reads geoshard.yaml if there is one, else the default preset.
func (f worldFlags) read() (source, *topology.Topology, error) {
	src, err := f.source()
	if err != nil {
		return source{}, nil, err
	}
	world, err := topology.Parse(src.name, src.text)
	return src, world, err
}

// source is readSource with the default preset where nothing is named and there is no geoshard.yaml.
func (f worldFlags) source() (source, error) {
	if f == (worldFlags{}) && !exists(defaultFile) {
		f.preset = configs.Default
	}
	return readSource(f.file, f.preset)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}
