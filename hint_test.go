package geoshard_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestHintsHaveOneType: an error with a hint and nothing else is a hint.Error; types of their own are for errors that know more.
func TestHintsHaveOneType(t *testing.T) {
	byPackage := map[string][]*ast.File{}
	set := token.NewFileSet()
	for _, name := range trackedFiles(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "hint/") {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(set, name, content, 0)
		if err != nil {
			t.Fatal(err)
		}
		pkg := name[:strings.LastIndexByte(name, '/')+1] + file.Name.Name
		byPackage[pkg] = append(byPackage[pkg], file)
	}
	for _, files := range byPackage {
		for _, twin := range hintTwins(files) {
			t.Errorf("%s: type %s is an error with a hint and nothing else: use hint.New", set.Position(twin.Pos()), twin.Name)
		}
	}
	t.Logf("%d packages", len(byPackage))
}

// hintTwins finds the types of a package that are just an error and a string which their method Hint returns. One that works its hint out is none: its
// string is a fact.
func hintTwins(files []*ast.File) (found []*ast.TypeSpec) {
	told := map[string]bool{} // by type
	for _, f := range files {
		for _, d := range f.Decls {
			if m, ok := d.(*ast.FuncDecl); ok && m.Recv != nil && m.Name.Name == "Hint" {
				told[nameOf(m.Recv.List[0].Type)] = returnsField(m.Body)
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && told[spec.Name.Name] {
				if s, ok := spec.Type.(*ast.StructType); ok && slices.Equal(fieldTypes(s), []string{"error", "string"}) {
					found = append(found, spec)
				}
			}
			return true
		})
	}
	return found
}

// returnsField reports whether all that a method does is to return a field.
func returnsField(body *ast.BlockStmt) bool {
	if len(body.List) != 1 {
		return false
	}
	r, ok := body.List[0].(*ast.ReturnStmt)
	if !ok || len(r.Results) != 1 {
		return false
	}
	_, ok = r.Results[0].(*ast.SelectorExpr)
	return ok
}

// fieldTypes are the names of the types of a struct's fields, sorted, one for each field; "" for a type without a name.
func fieldTypes(s *ast.StructType) (types []string) {
	for _, f := range s.Fields.List {
		for range max(1, len(f.Names)) { // an embedded one has no name
			types = append(types, nameOf(f.Type))
		}
	}
	slices.Sort(types)
	return types
}

// nameOf is the name that an expression for a type, or for a pointer to it, consists of; "" for others.
func nameOf(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if name, ok := e.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// The rule finds what it should.
func TestHintTwinsAreFound(t *testing.T) {
	const method = "\nfunc (e *T) Hint() string { return e.Help }"
	for text, want := range map[string]int{
		"type T struct { Err error; Help string }" + method:                                                                      1,
		"type T struct { Help string; error }" + method:                                                                          1,
		"type ( T struct { Err error\n// Help is a way out.\nHelp string } )" + method:                                           1,
		"type T struct { Err error; Way string }\nfunc (e T) Hint() string { return e.Way }":                                     1,
		"type T struct { Err error; Help string }":                                                                               0, // it does not say that it has a hint
		"type T struct { Err error; Op, Help string }" + method:                                                                  0,
		"type T struct { Msg, Help string }" + method:                                                                            0,
		"type T struct { Err error; At time.Time }" + method:                                                                     0,
		"type T struct { Err error; Help string }\ntype U struct { Host, Help string }" + strings.ReplaceAll(method, "*T", "*U"): 0,
		"type T struct { Err error; File string }\nfunc (e *T) Hint() string { return \"see \" + e.File }":                       0, // a fact
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+text, 0)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if found := hintTwins([]*ast.File{file}); len(found) != want {
			t.Errorf("%s: found %d, want %d", text, len(found), want)
		}
	}
}
