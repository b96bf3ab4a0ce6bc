package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/geoshard/geoshard/hint"
)

// terminalIn is the terminal that the input comes from, if it does.
func (e *environment) terminalIn() (fd int, ok bool) {
	f, isFile := e.stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// ask asks a question at a terminal; only "yes" agrees.
func (e *environment) ask(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(e.stderr, "%s Only yes is taken for a yes: ", question)
	answer, err := interruptible(ctx, e.readLine)
	return strings.TrimSpace(answer) == "yes", err
}

// askSecret reads a line that is not shown. Where the input is no terminal it reads the line all the same: somebody pipes it in.
func (e *environment) askSecret(ctx context.Context, prompt string) (string, error) {
	read := e.readLine
	if fd, ok := e.terminalIn(); ok {
		before, err := term.GetState(fd)
		if err != nil {
			return "", err
		}
		defer func() { _ = term.Restore(fd, before) }() // an interrupt would leave it without echo
		fmt.Fprint(e.stderr, prompt)
		defer fmt.Fprintln(e.stderr)
		read = func() (string, error) {
			text, err := term.ReadPassword(fd)
			return string(text), err
		}
	}
	line, err := interruptible(ctx, read)
	if line = strings.TrimSpace(line); err == nil && line == "" {
		err = hint.Errorf("enter the connection string of a mongos", "--uri -: nothing was entered")
	}
	return line, err
}

func (e *environment) readLine() (string, error) {
	line, err := bufio.NewReader(e.stdin).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return line, err
}

// interruptible ends with the context. Nothing ends a read of a terminal, so the reader is left behind then, and the process ends soon.
func interruptible(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
