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
)

//go:embed configs
var configs embed.FS

// A contestant is a way from the generator to the application.
type contestant struct {
	name, version string
	address       string
	command       *exec.Cmd // nil: straight to the application
	output        *bytes.Buffer
}

// settings fill the configurations in.
type settings struct {
	// Listen is the contestant's address, Port its port.
	Listen, Port, NYC, LON, SYD, Dir string
	Threads                          int
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

// configure writes a configuration into dir.
func configure(name string, s settings) (path string, err error) {
	t, err := template.ParseFS(configs, "configs/"+name)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, s); err != nil {
		return "", err
	}
	path = filepath.Join(s.Dir, name)
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}

// A start says how a contestant is started: it returns the command line, or an error that wraps exec.ErrNotFound where its program is missing.
type start func(s settings, applications []string) (args []string, err error)

// contestants are all that there are, in the order of the table. The command lines run each in the foreground.
var contestants = []struct {
	name  string
	start start
}{
	{roleBare, func(s settings, applications []string) ([]string, error) {
		return self(append([]string{roleBare, s.Listen}, applications...)...)
	}},
	{roleGateway, func(s settings, _ []string) ([]string, error) {
		path, err := configure("geoshard.yaml", s)
		if err != nil {
			return nil, err
		}
		return self(roleGateway, s.Listen, path)
	}},
	{"caddy", func(s settings, _ []string) ([]string, error) {
		return program("caddy", "Caddyfile", s, func(path string) []string { return []string{"run", "--adapter", "caddyfile", "--config", path} })
	}},
	{"nginx", func(s settings, _ []string) ([]string, error) {
		return program("nginx", "nginx.conf", s, func(path string) []string { return []string{"-c", path, "-p", s.Dir} })
	}},
	{"haproxy", func(s settings, _ []string) ([]string, error) {
		return program("haproxy", "haproxy.cfg", s, func(path string) []string { return []string{"-db", "-f", path} })
	}},
}

func self(args ...string) ([]string, error) {
	own, err := os.Executable()
	return append([]string{own, "serve"}, args...), err
}

func program(name, config string, s settings, args func(path string) []string) ([]string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, err
	}
	written, err := configure(config, s)
	return append([]string{path}, args(written)...), err
}

// versionOf asks a program for its version.
func versionOf(ctx context.Context, name string) string {
	flag, ok := map[string]string{"caddy": "version", "nginx": "-v", "haproxy": "-v"}[name]
	if !ok {
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

// launch starts a command and waits until it listens. What it wants to keep goes into dir.
func launch(ctx context.Context, name, address, dir string, args []string) (*contestant, error) {
	c := &contestant{name: name, address: address, output: &bytes.Buffer{}}
	c.command = exec.CommandContext(ctx, args[0], args[1:]...)
	c.command.Stdout, c.command.Stderr = c.output, c.output
	c.command.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	c.command.Cancel = func() error { return c.command.Process.Signal(os.Interrupt) }
	if name == "nginx" || name == "haproxy" {
		c.command.Cancel = func() error { return terminate(c.command.Process) }
	}
	c.command.WaitDelay = 5 * time.Second
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := awaitListener(ctx, address, 20*time.Second); err != nil {
		return c, fmt.Errorf("%s does not listen: %w\n%s", name, err, c.output)
	}
	return c, nil
}

func awaitListener(ctx context.Context, address string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-tick.C:
		}
	}
}

// stop ends a contestant's process and waits for it.
func (c *contestant) stop() {
	if c.command == nil || c.command.Process == nil {
		return
	}
	_ = c.command.Cancel() // it may have ended by itself; Wait knows
	done := make(chan struct{})
	go func() {
		_ = c.command.Wait() // ended by a signal
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = c.command.Process.Kill()
		<-done
	}
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
	all := []*process.Process{p}
	if children, err := p.Children(); err == nil {
		all = append(all, children...)
	}
	var sum float64
	for _, one := range all {
		if times, err := one.Times(); err == nil {
			sum += times.User + times.System
		}
	}
	return time.Duration(sum * float64(time.Second))
}
