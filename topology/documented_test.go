package topology_test

import (
	"os"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/topology"
)

// TestDocumentedFileIsValid parses the file that docs/geoshard-yaml.md shows.
func TestDocumentedFileIsValid(t *testing.T) {
	page, err := os.ReadFile("../docs/geoshard-yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```yaml\n")
	file, _, ended := strings.Cut(block, "```\n")
	if !found || !ended {
		t.Fatal("the page has no block of YAML")
	}
	if _, err := topology.Parse("docs/geoshard-yaml.md", []byte(file)); err != nil {
		t.Error(err)
	}
}
