package clients

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// MongoshVersion is the pinned version of mongosh.
const MongoshVersion = "2.12.0"

// minNode is the oldest Node.js that mongosh supports.
const minNode = 20

// Mongosh returns mongosh in its pinned version, installed by npm at the first call on a machine. Without npm, or Node.js in a version that
// mongosh supports, it returns ErrMissing.
func Mongosh(ctx context.Context) (*Client, error) {
	node, err := findNode(ctx)
	if err != nil {
		return nil, err
	}
	npm, err := program("npm")
	if err != nil {
		return nil, err
	}
	dir, err := ensure(ctx, "mongosh-"+MongoshVersion, func(dir string) error {
		// No scripts of packages are run: the native extras that they would build are optional and not needed here.
		return run(ctx, npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "mongosh@"+MongoshVersion)
	})
	if err != nil {
		return nil, err
	}
	entry := filepath.Join(dir, "node_modules", "mongosh", "bin", "mongosh.js")
	return &Client{
		Name: "mongosh", Version: MongoshVersion, Extension: ".js", ownHome: true,
		command: func(s Script) []string {
			args := []string{node, entry, "--quiet", "--norc", s.URI}
			if s.Path != "" {
				args = append(args, "--file", filepath.Join(filepath.Dir(s.Path), "check.js"), "--file", s.Path)
			}
			return args
		},
	}, nil
}

// findNode returns the program itself, not a version manager's stand-in for it that would look for its settings in the user's home.
func findNode(ctx context.Context) (string, error) {
	found, err := program("node")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, found, "-p", "process.versions.node + ' ' + process.execPath").Output()
	if err != nil {
		return "", fmt.Errorf("ask Node.js for its version: %w", err)
	}
	version, path, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < minNode {
		return "", fmt.Errorf("node in version %d or newer (this is %s): %w", minNode, version, ErrMissing)
	}
	return path, nil
}
