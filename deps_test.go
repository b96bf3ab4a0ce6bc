// Package geoshard_test holds what is true of the whole module: which package may import which, and what may stand in no file.
package geoshard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/geoshard/geoshard"

// A goPackage is what `go list` tells of one package of the module. Names are relative to the module.
type goPackage struct {
	ImportPath, Name, Dir              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

// inside returns those of the imports that belong to the module, relative to it.
func inside(imports []string) []string {
	var names []string
	for _, path := range imports {
		if name, ok := strings.CutPrefix(path, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json", "./...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if p.ImportPath != "" { // the root holds tests of the repository alone
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		t.Fatal("go list names no package")
	}
	return all
}

// layers are the packages from the top to the bottom. A package imports what stands in lower layers, and in its own.
// A pattern that ends in /... stands for a package and everything below it; the first that matches counts.
var layers = [][]string{
	{"cmd/...", "e2e/...", "bench/...", "build/..."},
	{"internal/cli"},
	{"internal/demo/..."},
	{"lab/...", "advisor/..."},
	{"cart/..."},
	{"router/..."},
	{"cluster/clustertest", "internal/dockertest"},
	{"cluster/local", "cluster/container/..."},
	{"cluster/internal/..."},
	{"cluster"},
	{"internal/devmongos"},
	{"zones/..."},
	{"zones/plan", "zones/apply"},
	{"zones"},
	{"consistency/gintoken"},
	{"consistency"},
	{"wan", "shardkey", "placement"},
	{"topology"},
	{"configs", "internal/mongobin", "internal/wire"},
	{"hint", "signing", "internal/clusterflag", "internal/enum", "internal/nstype", "internal/pace", "internal/passing", "internal/serve", "internal/serverversion", "internal/spelling", "internal/redact", "internal/reference", "internal/testkit"},
}

// A rule forbids imports beyond what the layers do.
type rule struct {
	// of are the packages it is about; but are exceptions among them.
	of, but []string
	// never are what those do not import: packages of ours, or any import path in full.
	never []string
	// indirectly extends the rule to everything that the packages reach.
	indirectly bool
	// tests extends the rule to the packages' tests.
	tests  bool
	reason string
}

var rules = []rule{
	{of: []string{"..."}, never: []string{"cmd/...", "e2e/..."}, tests: true,
		reason: "programs and whole-system suites stand at the end; what two of them need belongs into a package with a name",
		but:    []string{"e2e/..."}},
	{of: []string{"..."}, but: []string{"cmd/...", "e2e/..."}, never: []string{"internal/cli"}, tests: true,
		reason: "the command line holds flags and printing; whoever else needs something of it needs it in a library"},
	{of: []string{"..."}, but: []string{"internal/cli", "lab/..."}, never: []string{"lab/..."},
		reason: "the laboratory looks at everything, so nothing but the command line may look at it"},
	{of: []string{"topology"}, never: []string{"net", "net/http", "os/exec", "go.mongodb.org/mongo-driver/v2/..."}, indirectly: true,
		reason: "the declared world is a value: it can be checked without network, processes and database"},
	{of: []string{"configs"}, never: []string{"net", "os/exec", "topology", "go.mongodb.org/mongo-driver/v2/..."},
		reason: "presets are data; topology parses them"},
	{of: []string{"shardkey"}, never: []string{"net", "net/http", "os/exec", "time", "go.mongodb.org/mongo-driver/v2/mongo/..."},
		reason: "routing decides from values: it is tested and fuzzed without a server and without a clock"},
	{of: []string{"placement"}, never: []string{"net", "net/http", "os/exec", "go.mongodb.org/mongo-driver/v2/..."}, indirectly: true,
		reason: "the router decides from declared values, so what tells it their zones knows no database either"},
	{of: []string{"router"}, never: []string{"os/exec", "github.com/gin-gonic/gin", "go.mongodb.org/mongo-driver/v2/..."}, indirectly: true,
		reason: "the router decides from values: it is tested and fuzzed without a server and without a database"},
	{of: []string{"router/internal/model"}, never: []string{"topology", "router"}, indirectly: true,
		reason: "the model checks the router, so it shares nothing with it"},
	{of: []string{"internal/wire"}, never: []string{"go.mongodb.org/mongo-driver/v2/mongo/..."},
		reason: "the driver adds sessions of its own to commands; a router has to pass the client's on"},
	{of: []string{"..."}, but: []string{"cluster/local", "build/mongos", "internal/devmongos/..."}, never: []string{"internal/devmongos"},
		reason: "the development query router is started for local clusters and in the local image, and for nothing else"},
	{of: []string{"zones", "zones/plan", "zones/apply", "router", "cart", "consistency"}, never: []string{"zones/catalog", "router/gateway", "router/ginroute", "cart/store", "cart/api", "consistency/gintoken"},
		reason: "a core decides and its adapters act, so the core does not know them"},
	{of: []string{"zones", "zones/plan", "zones/apply"}, never: []string{"net", "net/http", "os/exec", "go.mongodb.org/mongo-driver/v2/mongo/..."},
		reason: "plans are made of values, and applied through small interfaces: both are tested without a server"},
	{of: []string{"zones/plan"}, never: []string{"zones/apply"},
		reason: "who plans changes nothing"},
	{of: []string{"zones/apply"}, never: []string{"zones/plan"},
		reason: "an apply obeys the steps of a plan alone, wherever it comes from"},
	{of: []string{"zones/verify"}, never: []string{"zones", "zones/plan", "zones/apply", "zones/catalog", "placement", "shardkey"}, indirectly: true,
		reason: "a proof must not share the code whose work it proves: what the planner gets wrong, verify would get wrong too"},
	{of: []string{"..."}, never: []string{"cluster/clustertest"},
		reason: "the conformance suite and the shared cluster are for tests", but: []string{"cluster/clustertest", "internal/dockertest"}},
	{of: []string{"..."}, never: []string{"internal/dockertest"},
		reason: "clusters in containers that end with a test are for tests"},
	{of: []string{"..."}, but: []string{"cmd/...", "e2e/..."}, never: []string{"log"},
		reason: "libraries return errors and emit events; log/slog is handed in where a log is wanted"},
}

// matches reports whether a package is what one of the patterns says.
func matches(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		root, all := strings.CutSuffix(p, "...")
		if !all {
			return pkg == p
		}
		return root == "" || pkg == strings.TrimSuffix(root, "/") || strings.HasPrefix(pkg, root)
	})
}

func layerOf(pkg string) int {
	for _, exact := range []bool{true, false} {
		for i, layer := range layers {
			if exact && slices.Contains(layer, pkg) || !exact && matches(pkg, layer) {
				return i
			}
		}
	}
	return -1
}

// againstLayers returns the imports of a package that point upwards.
func againstLayers(pkg string, imports []string) (upward []string, known bool) {
	own := layerOf(pkg)
	if own < 0 {
		return nil, false
	}
	for _, name := range inside(imports) {
		if l := layerOf(name); l >= 0 && l < own {
			upward = append(upward, name)
		}
	}
	return upward, true
}

// against returns the imports of a package that a rule forbids.
func (r rule) against(p goPackage) []string {
	if !matches(p.ImportPath, r.of) || matches(p.ImportPath, r.but) {
		return nil
	}
	imports := slices.Clone(p.Imports)
	if r.indirectly {
		imports = slices.Clone(p.Deps)
	}
	if r.tests {
		imports = append(append(imports, p.TestImports...), p.XTestImports...)
	}
	var found []string
	for _, path := range imports {
		name := strings.TrimPrefix(path, module+"/")
		if name != p.ImportPath && matches(name, r.never) { // an external test imports its own package
			found = append(found, path)
		}
	}
	return found
}

func TestImportsPointDownwards(t *testing.T) {
	packages := listPackages(t)
	for _, p := range packages {
		upward, known := againstLayers(p.ImportPath, p.Imports)
		if !known {
			t.Errorf("package %s has no place in the layers: give it one", p.ImportPath)
		}
		for _, name := range upward {
			t.Errorf("%s imports %s, which stands above it", p.ImportPath, name)
		}
		for _, r := range rules {
			for _, path := range r.against(p) {
				t.Errorf("%s imports %s: %s", p.ImportPath, path, r.reason)
			}
		}
	}
	t.Logf("%d packages, %d layers, %d rules", len(packages), len(layers), len(rules))
}

// The table itself: it finds what it should.
func TestImportRulesFindTransgressions(t *testing.T) {
	if up, known := againstLayers("wan", []string{module + "/topology", module + "/cluster/local"}); !known || !slices.Equal(up, []string{"cluster/local"}) {
		t.Errorf("wan importing cluster/local: got %v, %v", up, known)
	}
	if _, known := againstLayers("util", nil); known {
		t.Error("a package that is in no layer was accepted")
	}
	for _, r := range rules {
		bad := goPackage{ImportPath: strings.TrimSuffix(strings.Replace(r.of[0], "...", "wan", 1), "/")}
		path := strings.TrimSuffix(strings.TrimSuffix(r.never[len(r.never)-1], "..."), "/")
		bad.Imports, bad.Deps = []string{path}, []string{path}
		if len(r.against(bad)) != 1 {
			t.Errorf("rule %q lets %s import %s", r.reason, bad.ImportPath, path)
		}
	}
}

// trackedFiles returns the names of the files that git knows, except those that are deleted just now.
func trackedFiles(t *testing.T) []string {
	t.Helper()
	// A checkout of another owner is read like any other: nothing of it is run.
	out, err := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "ls-files", "-z").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			names = append(names, filepath.ToSlash(name))
		}
	}
	if len(names) < 10 {
		t.Fatalf("git names %d files only", len(names))
	}
	return names
}

// internalCommand matches the server's internal commands. They are put together here, so that this file does not match.
var internalCommand = regexp.MustCompile(`_(configsvr|shardsvr)[A-Z]|["'` + "`" + `](_addShard\b|cluster(AbortTransaction|Aggregate|BulkWrite|CommitTransaction|Count|` +
	`Delete|Find|GetMore|Insert|PrepareTransaction|Update)\b)`)

func TestInternalServerCommandsAreInTheQueryRouterAlone(t *testing.T) {
	checked := 0
	for _, name := range trackedFiles(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "internal/devmongos/") {
			continue
		}
		checked++
		reportLines(t, name, internalCommand, "internal server commands belong into internal/devmongos: everything else runs against a real mongos as well")
	}
	t.Logf("%d files", checked)
	for text, want := range map[string]bool{
		`{Key: "_config` + `svrAddShard"}`: true, "`cluster" + "Find`": true, `"_add` + `Shard"`: true,
		`"clusterTime"`: false, `Use: "cluster"`: false, `"addShard"`: false,
	} {
		if internalCommand.MatchString(text) != want {
			t.Errorf("%s: want found = %v", text, want)
		}
	}
}

// machinePath matches paths that exist on somebody's machine alone.
var machinePath = regexp.MustCompile(`(^|[\s"'=(:>` + "`" + `])/(root|work|home/\w+|Users/\w+)/`)

func TestNoPathOfOneMachineIsInTheRepository(t *testing.T) {
	names := trackedFiles(t)
	for _, name := range names {
		reportLines(t, name, machinePath, "a path of one machine")
	}
	t.Logf("%d files", len(names))
	for text, want := range map[string]bool{`"/ro` + `ot/x"`: true, "cd /home/" + "me/x": true, "https://x/work/y": false, "net/home/x/y": false} {
		if machinePath.MatchString(text) != want {
			t.Errorf("%s: want found = %v", text, want)
		}
	}
}

// reportLines reports each line of a file that matches.
func reportLines(t *testing.T, name string, what *regexp.Regexp, reason string) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(content, 0) >= 0 {
		return // not text
	}
	for i, line := range strings.Split(string(content), "\n") {
		if found := what.FindString(line); found != "" {
			t.Errorf("%s:%d: %q: %s", name, i+1, found, reason)
		}
	}
}
