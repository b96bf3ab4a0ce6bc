package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
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

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitDifferences = 2
)

// errDifferences ends a command that compared two things and found them different: exit code 2, and no message, because the
// differences have been printed.
var errDifferences = errors.New("there are differences")

// finish prints a command's error and returns its exit code.
func (e *environment) finish(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errDifferences):
		return exitDifferences
	case e.output == outputJSON:
		_ = e.json(e.stderr, newFailure(err)) // nowhere left to tell
	default:
		s := e.styles(e.stderr)
		e.complain(s.bad("geoshard:"), err.Error())
		if help := hint.Of(err); help != "" {
			e.complain(s.warn("geoshard: hint:"), help)
		}
	}
	return exitFailed
}

// complain prints a text that may have several lines, each with the prefix.
func (e *environment) complain(prefix, text string) {
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		fmt.Fprintf(e.stderr, "%s %s\n", prefix, line)
	}
}

// A failure is an error as JSON.
type failure struct {
	Error    string             `json:"error"`
	Hint     string             `json:"hint,omitempty"`
	Problems []topology.Problem `json:"problems,omitempty"`
}

func newFailure(err error) failure {
	f := failure{Error: err.Error(), Hint: hint.Of(err)}
	var invalid *topology.Errors
	if errors.As(err, &invalid) {
		f.Problems = invalid.Problems
	}
	return f
}
