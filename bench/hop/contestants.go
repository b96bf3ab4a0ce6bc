package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/geoshard/geoshard/internal/pace"
)

//go:embed configs
var configs embed.FS

var templates = template.Must(template.ParseFS(configs, "configs/*"))

// A contestant is a way from the generator to the application.
type contestant struct {
	name, version string
	address       string
	command       *exec.Cmd // nil: straight to the application
	end           func()    // asks the command to end
	output        *bytes.Buffer
}

// settings fill the configurations in.
type settings struct {
	// Listen is the contestant's address.
	Listen, NYC, LON, SYD, Dir string
	Threads                    int
}

// Port is the contestant's port.
func (s settings) Port() string {
	_, port, _ := net.SplitHostPort(s.Listen) // the listener of freeAddresses wrote it
	return port
}

// freeAddresses are addresses on the loopback interface on which nobody listens.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all at the end, so that no address comes twice
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// configure writes a configuration into dir, if there is one.
func configure(name string, s settings) (path string, err error) {
	if name == "" {
		return "", nil
	}
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name, s); err != nil {
		return "", err
	}
	path = filepath.Join(s.Dir, name)
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}

// contestants are all that there are, in the order of the table, with their configurations, the flags that print their versions, and their arguments. They run in the
// foreground.
var contestants = []struct{ name, config, version, args string }{
	{roleBare, "", "", "LISTEN NYC LON SYD"},
	{roleGateway, "geoshard.yaml", "", "LISTEN CONFIG"},
	{"caddy", "Caddyfile", "version", "run --adapter caddyfile --config CONFIG"},
	{"nginx", "nginx.conf", "-v", "-c CONFIG -p DIR"},
	{"haproxy", "haproxy.cfg", "-v", "-db -f CONFIG"},
}

// program is how the command line of a contestant begins, or an error that wraps exec.ErrNotFound where its program is missing.
func program(name string) ([]string, error) {
	switch name {
	case roleApplication, roleBare, roleGateway:
		own, err := os.Executable()
		return []string{own, "serve", name}, err
	}
	path, err := exec.LookPath(name)
	return []string{path}, err
}

// versionOf asks a program for its version; without a flag for that it is this program.
func versionOf(ctx context.Context, name, flag string) string {
	if flag == "" {
		return runtime.Version()
	}
	out, err := exec.CommandContext(ctx, name, flag).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	first, _, _ = strings.Cut(first, " - ")
	first, _, _ = strings.Cut(first, " h1:")
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(first, "nginx version: "), "HAProxy version "))
}

// launch starts a command and waits until it listens. What it wants to keep goes into dir. The contestant has to be stopped, also after an error.
func launch(ctx context.Context, name, address, dir string, args []string) (*contestant, error) {
	c := &contestant{name: name, address: address, output: &bytes.Buffer{}}
	run, end := context.WithCancel(ctx)
	c.end = end
	c.command = exec.CommandContext(run, args[0], args[1:]...)
	c.command.Stdout, c.command.Stderr = c.output, c.output
	c.command.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	c.command.Cancel = func() error { return c.command.Process.Signal(os.Interrupt) }
	if name == "nginx" || name == "haproxy" {
		c.command.Cancel = func() error { return terminate(c.command.Process) }
	}
	c.command.WaitDelay = 5 * time.Second // then it is killed
	if err := c.command.Start(); err != nil {
		return c, fmt.Errorf("start %s: %w", name, err)
	}
	if err := awaitListener(ctx, address); err != nil {
		return c, fmt.Errorf("%s does not listen: %w\n%s", name, err, c.output)
	}
	return c, nil
}

func awaitListener(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		if !pace.Pause(ctx, 20*time.Millisecond) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// stop ends a contestant's process and waits for it.
func (c *contestant) stop() {
	c.end()
	_ = c.command.Wait() // ended by a signal
}

// cpu is the processor time that a contestant's processes have taken.
func (c *contestant) cpu() time.Duration {
	if c.command == nil {
		return 0
	}
	p, err := process.NewProcess(int32(c.command.Process.Pid))
	if err != nil {
		return 0
	}
	children, _ := p.Children() // it fails where there are none
	var sum float64
	for _, one := range append(children, p) {
		if times, err := one.Times(); err == nil {
			sum += times.User + times.System
		}
	}
	return time.Duration(sum * float64(time.Second))
}
