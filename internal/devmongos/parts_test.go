package devmongos

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parts are what a file's name begins with, from the ground up. A part uses what stands before it here, and never what stands after it:
// so each can be read alone.
var parts = []string{
	"base",         // documents, errors, the cluster's time
	"backend",      // how servers are reached: connections, replica sets, the core
	"routes",       // where data lives, and what goes with commands to it
	"txn",          // one transaction with its shards
	"request",      // one command of a client, and how commands are looked up
	"router",       // sending a command to whoever has what it is about
	"cursors",      // cursors that clients have open
	"reads",        // find, aggregate, count, distinct
	"writes",       // insert, update, delete, findAndModify
	"admin",        // collections, indexes, shards, zones, chunks, users
	"explain",      // explain
	"statements",   // what is different inside transactions
	"transactions", // which transactions there are, and their ends
	"answers",      // what the router tells of itself, and logins
	"server",       // clients' connections, start and stop
}

type nothing struct{}

func (nothing) Import(string) (*types.Package, error) {
	return nil, errors.New("other packages do not matter here")
}

func TestPartsUseThoseBelowThem(t *testing.T) {
	set, files := token.NewFileSet(), []*ast.File(nil)
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	part := func(at token.Pos) int {
		name := filepath.Base(set.Position(at).Filename)
		prefix, _, _ := strings.Cut(strings.TrimSuffix(name, ".go"), "_")
		i := slices.Index(parts, prefix)
		if i < 0 && name != "doc.go" {
			t.Fatalf("%s begins with the name of no part", name)
		}
		return i
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}, FakeImportC: true}
	pkg, _ := config.Check("devmongos", set, files, &info) // what comes from other packages stays unknown
	uses := 0
	for ident, object := range info.Uses {
		if object.Pkg() != pkg {
			continue
		}
		uses++
		if part(object.Pos()) > part(ident.Pos()) {
			t.Errorf("%s uses %s of %s", set.Position(ident.Pos()), ident.Name, filepath.Base(set.Position(object.Pos()).Filename))
		}
	}
	t.Logf("%d uses in %d files", uses, len(files))
	if uses < 1000 {
		t.Errorf("only %d uses were found", uses)
	}
}
