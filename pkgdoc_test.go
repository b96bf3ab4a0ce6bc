package geoshard_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each package says once what it is, and each one that others can use shows how by an example that runs. Programs and suites are not used.
func TestPackagesAreDocumented(t *testing.T) {
	packages := listPackages(t)
	documented, shown := 0, 0
	for _, p := range packages {
		files := parseFiles(t, p.Dir, p.GoFiles, parser.ParseComments|parser.PackageClauseOnly)
		if got := withDoc(files); got != 1 && len(files) > 0 {
			t.Errorf("package %s has %d package comments, want one", p.ImportPath, got)
		}
		documented++
		if p.Name == "main" || testsAlone(p) || strings.HasPrefix(p.ImportPath, "e2e/") {
			continue
		}
		if runsExample(parseFiles(t, p.Dir, append(slices.Clone(p.TestGoFiles), p.XTestGoFiles...), parser.ParseComments)) {
			shown++
		} else {
			t.Errorf("package %s has no Example with an output comment", p.ImportPath)
		}
	}
	t.Logf("%d packages with a comment, %d of them with an example", documented, shown)
}

// testsAlone reports whether a package consists of tests, with at most a doc.go beside them.
func testsAlone(p goPackage) bool {
	return len(p.GoFiles) == 0 || slices.Equal(p.GoFiles, []string{"doc.go"}) && len(p.TestGoFiles)+len(p.XTestGoFiles) > 0
}

func parseFiles(t *testing.T, dir string, names []string, mode parser.Mode) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, mode)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// withDoc counts the files whose package clause has a comment that says something.
func withDoc(files []*ast.File) int {
	n := 0
	for _, f := range files {
		if strings.TrimSpace(f.Doc.Text()) != "" {
			n++
		}
	}
	return n
}

// runsExample reports whether go test runs one of the examples: it only compiles those without an output comment.
func runsExample(files []*ast.File) bool {
	return slices.ContainsFunc(doc.Examples(files...), func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput })
}
