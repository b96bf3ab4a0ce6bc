package configs

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/internal/spelling"
)

//go:embed *.yaml
var presets embed.FS

// Default is the preset that is used where none is named.
const Default = "nyc-lon-syd"

// names puts the reference world first and the simplest before the special ones.
var names = []string{Default, "us-east-west", "ebay", "yougov", "ogilvy"}

// Names lists the presets.
func Names() []string { return slices.Clone(names) }

// Read returns a preset's document. For an unknown name the error is an *UnknownPresetError.
func Read(preset string) ([]byte, error) {
	if !slices.Contains(names, preset) {
		return nil, &UnknownPresetError{Preset: preset}
	}
	return presets.ReadFile(preset + ".yaml")
}

// An UnknownPresetError says that no preset has that name.
type UnknownPresetError struct{ Preset string }

// Error names the presets there are.
func (e *UnknownPresetError) Error() string {
	return fmt.Sprintf("unknown preset %q: the presets are %s", e.Preset, strings.Join(names, ", "))
}

// Hint is the nearest preset, or empty.
func (e *UnknownPresetError) Hint() string { return spelling.Hint(e.Preset, names, "") }
