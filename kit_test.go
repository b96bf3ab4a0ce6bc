package geoshard_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The kit of the tests: counts, seeds, waits and measurements, and clusters. Elsewhere none of them is made again.
var kit = []string{"internal/testkit/", "cluster/clustertest/"}

// kitEnv are the variables that the kit alone reads.
var kitEnv = []string{"GEOSHARD_SOAK", "GEOSHARD_SEED", "GEOSHARD_TEST_URI", "GEOSHARD_TEST_CLUSTER", "GEOSHARD_ACCEPT"}

// notKit are files that may do one of the things by themselves, with the reason. One that needs no exception any more has to go from the list.
var notKit = map[string]string{
	"cluster/container/example_test.go": "it shows users how to start a cluster",
	"cluster/container/usage_test.go":   "it is the documented example of a user's test",
	"cluster/local/attach_test.go":      "it is about starts that are refused",
	"cluster/local/survive_test.go":     "it is about starts that are interrupted, killed, or side by side",
}

// A hand made thing is what a test file makes instead of using the kit's.
type handMade struct {
	at   token.Position
	what string
}

// TestTestsUseTheKit holds test code to one kit: no reading of its variables, no wait loop, no start of a cluster outside of it.
func TestTestsUseTheKit(t *testing.T) {
	excused := map[string]bool{}
	files := 0
	for _, name := range trackedFiles(t) {
		if !strings.HasSuffix(name, ".go") || slices.ContainsFunc(kit, func(dir string) bool { return strings.HasPrefix(name, dir) }) || name == "kit_test.go" {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := handMadeIn(name, content)
		if err != nil {
			t.Fatal(err)
		}
		files++
		if _, ok := notKit[name]; ok && len(found) > 0 {
			excused[name] = true
			continue
		}
		for _, f := range found {
			t.Errorf("%s: %s", f.at, f.what)
		}
	}
	for name, reason := range notKit {
		if !excused[name] {
			t.Errorf("%s needs no exception (%q): take it from the list", name, reason)
		}
	}
	t.Logf("%d files, %d exceptions", files, len(notKit))
}

// handMadeIn finds what a file makes by itself. Files that are no tests are looked at for the variables alone.
func handMadeIn(name string, content []byte) (found []handMade, _ error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, content, 0)
	if err != nil {
		return nil, err
	}
	note := func(n ast.Node, format string, args ...any) {
		found = append(found, handMade{set.Position(n.Pos()), fmt.Sprintf(format, args...)})
	}
	tests := strings.HasSuffix(name, "_test.go")
	sleeps := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` }) // in virtual time
	var virtual, loops int                                                                                                    // how many bubbles and loops are around
	var visit func(ast.Node) bool
	within := func(n ast.Node, count *int) {
		*count++
		ast.Inspect(n, visit)
		*count--
	}
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if value, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && slices.Contains(kitEnv, value) {
				note(n, "%s is for the kit (internal/testkit, cluster/clustertest) to read", value)
			}
		case *ast.ForStmt:
			within(n.Body, &loops)
			return false
		case *ast.RangeStmt:
			if receives(n.X) && tests && virtual == 0 {
				note(n, "a wait loop: use testkit.Eventually or Await, and testkit.Pause to pace a load")
			}
			within(n.Body, &loops)
			return false
		case *ast.UnaryExpr:
			if tests && loops > 0 && virtual == 0 && n.Op == token.ARROW && receives(n.X) {
				note(n, "a wait loop: use testkit.Eventually or Await, and testkit.Pause to pace a load")
			}
		case *ast.CallExpr:
			switch called := selector(n.Fun); {
			case called == "synctest.Test":
				for _, a := range n.Args {
					within(a, &virtual)
				}
				return false
			case tests && called == "time.Sleep" && !sleeps && virtual == 0:
				note(n, "time.Sleep outside of virtual time: wait for the state, or pace with testkit.Pause")
			case tests && (called == "local.Start" || called == "container.Run"):
				note(n, "%s: take a cluster of cluster/clustertest", called)
			}
		}
		return true
	}
	ast.Inspect(file, visit)
	return found, nil
}

// selector is the qualified name that an expression is; "" for other expressions.
func selector(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); ok {
		return x.Name + "." + s.Sel.Name
	}
	return ""
}

// receives reports whether a channel is that of a timer or a ticker.
func receives(channel ast.Expr) bool {
	if call, ok := channel.(*ast.CallExpr); ok {
		name := selector(call.Fun)
		return name == "time.After" || name == "time.Tick"
	}
	s, ok := channel.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "C"
}

// The rules find what they should.
func TestKitRulesFindTransgressions(t *testing.T) {
	for body, want := range map[string]int{
		`for { <-tick.C }`: 1,
		`for !so() { select { case <-time.After(x): case <-ctx.Done(): } }`:  1,
		`for range time.Tick(x) { look() }`:                                  1,
		`for { time.Sleep(1) }`:                                              1,
		`time.Sleep(1)`:                                                      1,
		`synctest.Test(t, func(t *testing.T) { for { time.Sleep(1) } })`:     0,
		`select { case <-time.After(x): t.Fatal("late"); case <-done: }`:     0, // a bound of one wait
		`os.Getenv("GEOSHARD_SOAK")`:                                         1,
		`const env = "GEOSHARD_TEST_URI"`:                                    1,
		`c, err := local.Start(ctx, o)`:                                      1,
		`c, err := container.Run(ctx, o)`:                                    1,
		`testkit.Eventually(t, x, "so", func() bool { return so() })`:        0,
		`for range 10 { testkit.Pause(ctx, time.Second); clustertest.X(t) }`: 0,
	} {
		found, err := handMadeIn("x_test.go", []byte("package x\nfunc f() {\n"+body+"\n}"))
		if err != nil || len(found) != want {
			t.Errorf("%s: found %v, %v, want %d", body, found, err, want)
		}
	}
}
