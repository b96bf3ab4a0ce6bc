package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
)

// envPrefix begins the environment variables that stand for flags.
const envPrefix = "GEOSHARD"

// ofOneRun is the annotation of flags that make sense on a command line alone: what one run is to do, not how runs are done.
const ofOneRun = "ofOneRun"

// oneRun says that flags are no settings. It stands where they are defined.
func oneRun(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, ofOneRun, nil); err != nil {
			panic(err) // a slip in the name
		}
	}
}

// isSetting reports whether a flag can be set by the environment and the settings file. The library defines the flag of the help.
func isSetting(f *pflag.Flag) bool {
	_, once := f.Annotations[ofOneRun]
	return !once && f.Name != "help"
}

// readSettings gives flags that the command line leaves out their values from the environment or the settings file.
func (e *environment) readSettings(cmd *cobra.Command) error {
	e.settings.SetEnvPrefix(envPrefix)
	e.settings.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	e.settings.AutomaticEnv()
	if err := e.readSettingsFile(cmd); err != nil {
		return err
	}
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err != nil || f.Changed || !isSetting(f) || !e.settings.IsSet(f.Name) {
			return
		}
		// Not by way of the flag set, whose message would speak of a flag that nobody wrote.
		if wrong := f.Value.Set(e.settings.GetString(f.Name)); wrong != nil {
			err = fmt.Errorf("setting %s (%s): %w", f.Name, e.sourceOf(f.Name), wrong)
		}
	})
	return err
}

// sourceOf says where a setting's value comes from.
func (e *environment) sourceOf(setting string) string {
	variable := envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
	if os.Getenv(variable) != "" {
		return variable
	}
	return e.settings.ConfigFileUsed()
}

// readSettingsFile reads the file of --config or GEOSHARD_CONFIG, which must exist, else the user's own, which need not.
func (e *environment) readSettingsFile(cmd *cobra.Command) error {
	path, _ := cmd.Flags().GetString("config")
	path = cmp.Or(path, os.Getenv(envPrefix+"_CONFIG"))
	optional := path == ""
	if optional {
		dir, err := os.UserConfigDir()
		if err != nil {
			return nil // no home, no settings
		}
		path = filepath.Join(dir, "geoshard", "config.yaml")
	}
	e.settings.SetConfigFile(path)
	if err := e.settings.ReadInConfig(); err != nil {
		if optional && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("read settings: %w", err)
	}
	return e.checkSettings(cmd.Root(), path)
}

// checkSettings refuses settings that no command has, so that a slip does not go unnoticed.
func (e *environment) checkSettings(root *cobra.Command, path string) error {
	known := settingNames(root)
	for _, key := range e.settings.AllKeys() {
		if !slices.Contains(known, key) {
			return hint.Errorf(spelling.Hint(key, known, "the settings are "+strings.Join(known, ", ")), "read settings: %s: unknown setting %q", path, key)
		}
	}
	return nil
}

// settingNames are the names of all flags of all commands that can be set.
func settingNames(root *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if isSetting(f) && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.PersistentFlags().VisitAll(add)
		cmd.LocalFlags().VisitAll(add)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(names)
	return names
}
