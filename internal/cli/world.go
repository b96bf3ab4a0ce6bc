package cli

import (
	"cmp"
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
type worldFlags struct {
	File   string `flag:"file,oneRun" short:"f" files:"yaml yml" usage:"use the topology of a file"`
	Preset string `flag:"preset,oneRun" complete:"presets" usage:"use a preset"`
}

// whichWorld ends the help of commands that take worldFlags and nothing of a cluster.
const whichWorld = `-f names the topology's file, --preset a preset; without either it is geoshard.yaml of the working directory, or the preset nyc-lon-syd where there
is no such file.`

// describeWorld changes what the help says of worldFlags.
func describeWorld(cmd *cobra.Command, file, preset string) {
	cmd.Flags().Lookup("file").Usage, cmd.Flags().Lookup("preset").Usage = file, preset
}

// A source is a topology document: a file, or a preset.
type source struct {
	name string // for messages
	text []byte
}

// readSource reads the file, or the preset. Where neither is named it reads geoshard.yaml.
func readSource(file, preset string) (source, error) {
	if file != "" && preset != "" {
		return source{}, hint.Errorf("name one of them", "both the file %s and the preset %s are named", file, preset)
	}
	if preset != "" {
		text, err := configs.Read(preset)
		return source{name: preset, text: text}, err
	}
	file = cmp.Or(file, defaultFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return source{}, hint.Errorf("write one with geoshard init, or name a preset with --preset", "there is no file %s", file)
	}
	if err != nil {
		return source{}, fmt.Errorf("read topology: %w", err)
	}
	return source{name: file, text: text}, nil
}

// readWorld reads the topology that readSource finds. Name is for messages.
func readWorld(file, preset string) (name string, world *topology.Topology, err error) {
	src, err := readSource(file, preset)
	if err == nil {
		world, err = topology.Parse(src.name, src.text)
	}
	return src.name, world, err
}

// orDefault is the default preset where nothing is named and there is no geoshard.yaml.
func (f worldFlags) orDefault() (file, preset string) {
	if f == (worldFlags{}) && !exists(defaultFile) {
		return "", configs.Default
	}
	return f.File, f.Preset
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}
