package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// An environment is what commands share: the streams, and the settings that are the same for all of them.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	settings       *viper.Viper
	// The persistent flags; they hold once the command runs.
	output  outputFormat
	noColor bool
}

// newEnvironment reads --output ahead of all other flags, so that an error of the command line itself is printed in the form asked for.
func newEnvironment(args []string, stdin io.Reader, stdout, stderr io.Writer) *environment {
	env := &environment{stdin: stdin, stdout: stdout, stderr: stderr, settings: viper.New(), output: outputText}
	_ = env.output.Set(os.Getenv(envPrefix + "_OUTPUT")) // what is wrong with it the command says, and so it is with the flag
	early := pflag.NewFlagSet("", pflag.ContinueOnError)
	early.ParseErrorsAllowlist.UnknownFlags = true
	early.BoolP("help", "h", false, "")
	early.VarP(&env.output, "output", "o", "")
	early.Usage = func() {}
	_ = early.Parse(args)
	return env
}

// An outputFormat is the form of results and errors. It is a pflag.Value.
type outputFormat string

const (
	outputText outputFormat = "text"
	outputJSON outputFormat = "json"
)

func (f *outputFormat) String() string { return string(*f) }

func (f *outputFormat) Type() string { return "text|json" }

func (f *outputFormat) Set(s string) error {
	switch v := outputFormat(s); v {
	case outputText, outputJSON:
		*f = v
		return nil
	default:
		return fmt.Errorf("unknown format %q: want text or json", s)
	}
}

// show prints a result in the form asked for.
func (e *environment) show(v view) error {
	if e.output == outputJSON {
		return e.json(e.stdout, v)
	}
	// One write, so that a refreshing view does not flicker and a broken pipe is told once.
	var b strings.Builder
	v.text(page{&b, e.styles(e.stdout)})
	_, err := io.WriteString(e.stdout, b.String())
	return err
}

// judge shows a result, and then fails unless it is good.
func (e *environment) judge(v view, good bool, format string, args ...any) error {
	if err := e.show(v); err != nil || good {
		return err
	}
	return fmt.Errorf(format, args...)
}

func (e *environment) json(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// say writes a line of talk, which programs do not want to read.
func (e *environment) say(format string, args ...any) {
	if e.output == outputText {
		fmt.Fprintf(e.stderr, format+"\n", args...)
	}
}
