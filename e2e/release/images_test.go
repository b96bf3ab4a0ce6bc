package release

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/dockertest"
)

// lastStages is the part of the Dockerfile that begins without a foreign image: what the images consist of. The first stage, which compiles, is replaced by
// programs that the toolchain of this machine has compiled with the same flags, because its image cannot be pulled everywhere.
func lastStages(t *testing.T) (compile, stages string) {
	t.Helper()
	text, err := os.ReadFile("../../build/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	compile, stages, ok := strings.Cut(string(text), "FROM scratch AS base\n")
	if !ok {
		t.Fatal("build/Dockerfile has no stage base")
	}
	return compile, "FROM scratch AS base\n" + strings.NewReplacer("--from=build /out/", "out/", "--from=build /root-of-images/", "root-of-images/").Replace(stages)
}

// TestImages builds the images and runs them.
func TestImages(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	requireDocker(ctx, t)
	compile, stages := lastStages(t)
	dir := t.TempDir()
	buildPrograms(ctx, t, compile, dir)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(stages), 0o600); err != nil {
		t.Fatal(err)
	}
	for image, entrypoint := range entrypoints {
		target := strings.TrimSuffix(strings.TrimPrefix(image, "geoshard/"), ":dev")
		tag := fmt.Sprintf("geoshard-e2e-release-%s:%d", target, os.Getpid())
		if out, err := run(ctx, dir, "docker", "build", "--quiet", "--target", target, "--tag", tag, "."); err != nil {
			t.Fatalf("build %s: %v\n%s", target, err, out)
		}
		t.Cleanup(func() { _, _ = run(context.Background(), "", "docker", "rmi", "--force", tag) })
		checkImage(ctx, t, tag, entrypoint)
	}
}

func requireDocker(ctx context.Context, t *testing.T) {
	t.Helper()
	if out, err := run(ctx, "", "docker", "info"); err != nil {
		dockertest.Unavailable(t, fmt.Sprintf("Docker does not answer, so the images cannot be built (%v): %s", err, out))
	}
}

var (
	buildLine = regexp.MustCompile(`go build (.*) -o /out/ (.*?) \\`)
	// shellWord is a word of a command line with quotes inside it: -ldflags="-s -w".
	shellWord = regexp.MustCompile(`(?:[^\s"]|"[^"]*")+`)
)

// buildPrograms compiles with the Dockerfile's own flags.
func buildPrograms(ctx context.Context, t *testing.T, compile, dir string) {
	t.Helper()
	found := buildLine.FindStringSubmatch(compile)
	if found == nil {
		t.Fatal("build/Dockerfile has no line of go build")
	}
	args := []string{"build", "-buildvcs=false", "-o", filepath.Join(dir, "out") + string(filepath.Separator)}
	for _, flag := range shellWord.FindAllString(found[1], -1) {
		args = append(args, strings.ReplaceAll(flag, `"`, ""))
	}
	args = append(args, strings.Fields(found[2])...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	for _, sub := range []string{"root-of-images/tmp", "root-of-images/etc/ssl/certs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// checkImage looks at an image and runs it: not as root, nothing else in it, and what it is told at the least.
func checkImage(ctx context.Context, t *testing.T, tag string, entrypoint []string) {
	t.Helper()
	config, err := run(ctx, "", "docker", "inspect", "--format", "{{.Config.User}} {{json .Config.Entrypoint}}", tag)
	want := fmt.Sprintf("65532:65532 [\"/%s\"]", strings.Join(entrypoint, `","`))
	if err != nil || strings.TrimSpace(config) != want {
		t.Errorf("%s: got user and entry point %q, %v, want %q", tag, config, err, want)
	}
	if out, err := run(ctx, "", "docker", "run", "--rm", "--entrypoint", "/bin/sh", tag, "-c", "true"); err == nil {
		t.Errorf("%s has a shell: %s", tag, out)
	}
	hardened := []string{"run", "--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none", tag}
	if out, err := run(ctx, "", "docker", append(slices.Clone(hardened), "--help")...); err != nil || !strings.Contains(out, strings.Join(entrypoint, " ")) {
		t.Errorf("%s --help: %v\n%s", tag, err, out)
	}
	if entrypoint[0] != "cartdemo" {
		return
	}
	open, err := run(ctx, "", "docker", append(hardened, "serve", "--dc", "NYC", "--uri", "mongodb://127.0.0.1:1", "--listen", "0.0.0.0:8080")...)
	if err == nil || !strings.Contains(open, "there is no TLS") {
		t.Errorf("%s listens for everybody without TLS and without --insecure: %v\n%s", tag, err, open)
	}
}

func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0") // the builder that needs no plugin
	out, err := cmd.CombinedOutput()
	return string(out), err
}
