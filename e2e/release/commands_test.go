package release

import (
	"bytes"
	"context"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/geoshard/geoshard/cart/demo"
	"github.com/geoshard/geoshard/internal/cli"
	"github.com/geoshard/geoshard/topology"
)

const (
	composeDir  = "../../build/compose/"
	composeFile = composeDir + "compose.yaml"
)

// A service is what the tests look at of a compose file.
type service struct {
	Image      string            `yaml:"image"`
	Command    []string          `yaml:"command"`
	Ports      []string          `yaml:"ports"`
	Volumes    []string          `yaml:"volumes"`
	DependsOn  map[string]any    `yaml:"depends_on"`
	ReadOnly   bool              `yaml:"read_only"`
	Env        map[string]string `yaml:"environment"`
	Privileged bool              `yaml:"privileged"`
}

func readCompose(t *testing.T) map[string]service {
	t.Helper()
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]service `yaml:"services"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Services) < 20 {
		t.Fatalf("the compose file has %d services only", len(file.Services))
	}
	return file.Services
}

// entrypoints are what the images begin a command line with; TestImages holds them against the Dockerfile.
var entrypoints = map[string][]string{
	"geoshard/cartdemo:dev": {"cartdemo"},
	"geoshard/gateway:dev":  {"geoshard", "router", "serve"},
	"geoshard/geoshard:dev": {"geoshard"},
}

// understood tells whether a program takes a command line: it is asked for help behind it, which it gives only if it knows all flags before.
func understood(t *testing.T, line []string) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	args := append(slices.Clone(line[1:]), "--help")
	var code int
	if line[0] == "cartdemo" {
		code = demo.Main(context.Background(), args, &out, &out)
	} else {
		code = cli.Main(context.Background(), args, strings.NewReader(""), &out, &out)
	}
	// The help of a group of commands comes for an unknown subcommand as well.
	known := strings.Contains(out.String(), "\n  "+strings.Join(subcommand(line), " "))
	return out.String(), code == 0 && known
}

// subcommand is a command line's part before the first flag and argument.
func subcommand(line []string) []string {
	words := 2
	if slices.Contains(line, "router") {
		words = 3
	}
	return line[:min(words, len(line))]
}

// beyondLoopback tells that a command line listens where other machines reach it.
func beyondLoopback(line []string) bool {
	i := slices.Index(line, "--listen")
	if i < 0 || i+1 >= len(line) {
		return false
	}
	host, _, err := net.SplitHostPort(line[i+1])
	ip := net.ParseIP(host)
	return err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// checkServer holds the rule of servers: beyond loopback only with --listen, which it is about, and without TLS only with --insecure.
func checkServer(t *testing.T, name string, line []string) {
	t.Helper()
	if !slices.Contains(line, "serve") {
		return
	}
	if slices.Contains(line, "--admin-listen") {
		t.Errorf("%s: the admin listener stays on loopback, its default", name)
	}
	if !beyondLoopback(line) {
		t.Errorf("%s: it serves and nobody reaches it: no --listen beyond loopback", name)
	}
	if !slices.Contains(line, "--insecure") && !slices.Contains(line, "--tls-certificate-file") {
		t.Errorf("%s: it listens beyond loopback, with neither TLS nor --insecure", name)
	}
}

func TestComposeCommandsAreUnderstood(t *testing.T) {
	checked := 0
	for name, s := range readCompose(t) {
		begin, ours := entrypoints[s.Image]
		if !ours {
			if !strings.HasPrefix(s.Image, "mongo:8") {
				t.Errorf("%s: unknown image %q", name, s.Image)
			}
			continue
		}
		line := append(slices.Clone(begin), s.Command...)
		if out, ok := understood(t, line); !ok {
			t.Errorf("%s: %v is not understood:\n%s", name, line, out)
		}
		checkServer(t, name, line)
		checked++
	}
	if checked < 5 {
		t.Errorf("%d commands only", checked)
	}
	t.Logf("%d command lines", checked)
}

// The check itself: it finds a flag that nobody has, and a command that is none.
func TestUnknownCommandLinesAreFound(t *testing.T) {
	for _, line := range [][]string{{"cartdemo", "serve", "--no-such-flag"}, {"cartdemo", "sreve"}, {"geoshard", "aply"}, {"geoshard", "apply", "--no-such-flag"}} {
		if _, ok := understood(t, line); ok {
			t.Errorf("%v was taken", line)
		}
	}
	for line, want := range map[string]bool{"serve --listen 0.0.0.0:1": true, "serve --listen :1": true, "serve --listen 127.0.0.1:1": false, "serve": false} {
		if got := beyondLoopback(strings.Fields(line)); got != want {
			t.Errorf("%s: beyond loopback: got %v, want %v", line, got, want)
		}
	}
}

func TestComposePublishesOnLoopbackAlone(t *testing.T) {
	published := 0
	for name, s := range readCompose(t) {
		for _, p := range s.Ports {
			published++
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is reached from other machines", name, p)
			}
		}
		if s.Privileged {
			t.Errorf("%s is privileged", name)
		}
	}
	if published == 0 {
		t.Error("nothing is published")
	}
}

// The compose file has the members that its topology declares, and nothing is waited for that is not there.
func TestComposeHasWhatItsTopologyDeclares(t *testing.T) {
	world, err := topology.Load(composeDir + "geoshard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	services := readCompose(t)
	for _, shard := range world.Shards {
		for _, m := range shard.Members {
			name := string(shard.ID) + "-" + strings.ToLower(string(m.DC))
			s, ok := services[name]
			if i := slices.Index(s.Command, "--replSet"); !ok || i < 0 || s.Command[i+1] != string(shard.ID) {
				t.Errorf("no member %s of the replica set %s", name, shard.ID)
			}
		}
	}
	for _, dc := range world.Datacenters {
		for _, kind := range []string{"config-", "mongos-", "cartdemo-", "gateway-"} {
			if name := kind + strings.ToLower(string(dc.ID)); services[name].Image == "" {
				t.Errorf("there is no %s", name)
			}
		}
	}
	for name, s := range services {
		for other := range s.DependsOn {
			if _, ok := services[other]; !ok {
				t.Errorf("%s waits for %s, which is not there", name, other)
			}
		}
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The manifests of the guide are YAML, and their command lines are understood.
func TestManifestsOfTheGuideAreUnderstood(t *testing.T) {
	page, err := os.ReadFile("../../docs/how-to/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	type container struct {
		Name, Image string
		Args        []string
	}
	checked := 0
	for _, block := range yamlBlock.FindAllStringSubmatch(string(page), -1) {
		var manifest struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct{ Containers []container }
				}
			}
		}
		if err := yaml.Unmarshal([]byte(block[1]), &manifest); err != nil {
			t.Fatalf("%v\n%s", err, block[1])
		}
		for _, c := range manifest.Spec.Template.Spec.Containers {
			begin, ours := entrypoints[c.Image]
			if !ours {
				t.Errorf("%s %s: unknown image %q", manifest.Kind, c.Name, c.Image)
				continue
			}
			line := append(slices.Clone(begin), c.Args...)
			if out, ok := understood(t, line); !ok {
				t.Errorf("%s %s: %v is not understood:\n%s", manifest.Kind, c.Name, line, out)
			}
			checkServer(t, c.Name, line)
			checked++
		}
	}
	if checked < 2 {
		t.Errorf("%d containers only", checked)
	}
	t.Logf("%d containers", checked)
}

// The release is made for the systems that scripts/cross.sh compiles for.
func TestReleaseIsMadeForTheSystemsThatAreCompiled(t *testing.T) {
	script, err := os.ReadFile("../../scripts/cross.sh")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Builds []struct {
			ID, Main     string
			Env          []string
			Goos, Goarch []string
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Builds) != 2 {
		t.Fatalf("got %d programs, want 2", len(config.Builds))
	}
	for _, b := range config.Builds {
		for variable, list := range map[string][]string{"os": b.Goos, "arch": b.Goarch} {
			want := "for " + variable + " in " + strings.Join(list, " ") + ";"
			if !strings.Contains(string(script), want) {
				t.Errorf("%s: scripts/cross.sh has no %q", b.ID, want)
			}
		}
		if !slices.Contains(b.Env, "CGO_ENABLED=0") {
			t.Errorf("%s is not static", b.ID)
		}
		if _, err := os.Stat("../../" + b.Main); err != nil {
			t.Error(err)
		}
	}
}
