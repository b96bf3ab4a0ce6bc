package cli

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/internal/reference"
	"github.com/geoshard/geoshard/topology"
)

const referenceDir = "../../docs/reference"

// TestReferenceIsUpToDate compares docs/reference with the commands and the schema; `make docs` mends it.
func TestReferenceIsUpToDate(t *testing.T) {
	t.Setenv("GEOSHARD_URI", "mongodb://secret.example")
	env, _, _ := testEnvironment()
	root := newRootCommand(env)
	known := settingNames(root)
	pages := reference.Commands(root, func(flag string) string {
		if !slices.Contains(known, flag) {
			return ""
		}
		return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	})
	schema, err := reference.Schema("geoshard-yaml.md", "geoshard.yaml", topology.Schema())
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, schema)
	for _, p := range pages {
		if strings.Contains(p.Text, "secret.example") {
			t.Errorf("%s shows what is in the environment", p.Name)
		}
	}
	if os.Getenv("GEOSHARD_GOLDEN") == "rewrite" {
		if err := reference.Write(referenceDir, "geoshard", pages); err != nil {
			t.Fatal(err)
		}
		return
	}
	stale, err := reference.Stale(referenceDir, "geoshard", pages)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("out of date: %v (make docs)", stale)
	}
	t.Logf("%d pages", len(pages))
}
