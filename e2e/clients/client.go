package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Client is an installed client that runs scripts of its language.
type Client struct {
	// Name is "mongosh" or "pymongo"; it is also the directory of the client's scripts.
	Name string
	// Version is the pinned version of the client.
	Version string
	// Extension is that of the scripts, with the dot.
	Extension string
	// command returns the program and its arguments that run the vocabulary and then the script.
	command func(s Script) []string
	// ownHome makes every run have a home directory of its own: no settings of the user, and no history written into the user's.
	ownHome bool
	// env is added to the environment of every run.
	env []string
}

// A Script is one run of a script.
type Script struct {
	// Path is the script's file. The vocabulary, check.js or check.py, lies beside it.
	Path string
	// URI is the connection string the script uses.
	URI string
	// Env are further variables for the script, "NAME=value".
	Env []string
	// Each, if not nil, hears every line of the report as it is printed.
	Each func(line string)
}

// A RunError says how a script ended that did not end well.
type RunError struct {
	Client, Script string
	// Err is the process's or the report's error.
	Err error
	// Stderr is what the process complained about.
	Stderr string
}

// Error returns one line, and what the script complained about under it.
func (e *RunError) Error() string {
	text := fmt.Sprintf("run %s in %s: %v", e.Script, e.Client, e.Err)
	if e.Stderr != "" {
		text += "\n" + e.Stderr
	}
	return text
}

// Unwrap returns the process's or the report's error.
func (e *RunError) Unwrap() error { return e.Err }

// killWait is how long a script that was told to stop may keep its output open.
const killWait = 5 * time.Second

// Run runs a script to its end. Checks that do not hold are in the report, not in the error; a script that dies, or whose report is not whole, is a RunError,
// with the part of the report that was read.
func (c *Client) Run(ctx context.Context, s Script) (Report, error) {
	cmd, clean, err := c.prepare(ctx, s)
	if err != nil {
		return Report{}, err
	}
	defer clean()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Report{}, fmt.Errorf("run %s: %w", c.Name, err)
	}
	if err := cmd.Start(); err != nil {
		return Report{}, fmt.Errorf("start %s: %w", c.Name, err)
	}
	report, readErr := ReadReport(out, s.Each)
	if readErr != nil {
		// Nobody reads on: a script that still prints must not wait for that for ever.
		_ = out.Close()
	}
	if err := errors.Join(cmd.Wait(), readErr); err != nil {
		return report, &RunError{Client: c.Name, Script: filepath.Base(s.Path), Err: err, Stderr: tail(stderr.Bytes())}
	}
	return report, nil
}

// REPL gives lines to an interactive session of mongosh, and returns all that it printed, prompts included.
func (c *Client) REPL(ctx context.Context, uri, lines string) (string, error) {
	cmd, clean, err := c.prepare(ctx, Script{URI: uri})
	if err != nil {
		return "", err
	}
	defer clean()
	cmd.Stdin = strings.NewReader(lines)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("run %s: %w\n%s", c.Name, err, tail(out))
	}
	return string(out), nil
}

// prepare returns the command that runs a script, and what has to be called after it has ended.
func (c *Client) prepare(ctx context.Context, s Script) (*exec.Cmd, func(), error) {
	args := c.command(s)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = killWait
	cmd.Env = append(append(os.Environ(), c.env...), "CLIENTS_URI="+s.URI)
	cmd.Env = append(cmd.Env, s.Env...)
	if !c.ownHome {
		return cmd, func() {}, nil
	}
	home, err := os.MkdirTemp("", "geoshard-"+c.Name+"-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a home for %s: %w", c.Name, err)
	}
	cmd.Env = append(cmd.Env, "HOME="+home)
	return cmd, func() { _ = os.RemoveAll(home) }, nil
}

// tail returns the end of a program's talk: enough to see why it failed.
func tail(text []byte) string {
	const most = 4000
	text = bytes.TrimSpace(text)
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}
