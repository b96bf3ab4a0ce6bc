//go:build unix

package docs

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/cart/demo"
	"github.com/geoshard/geoshard/internal/cli"
)

// later are commands that the documentation names and says not to exist yet.
var later = map[string]string{"geoshard migrate FILE": "docs/versions.md speaks of a later version of the format"}

var (
	// named are command lines in backticks, behind variables perhaps.
	named = regexp.MustCompile("`(?:[A-Z_]+=\\S+ )*((?:geoshard|cartdemo|make) [^`\n]+)`")
	usage = regexp.MustCompile(`(?m)^Usage:\n  (.+)$`)
	word  = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// unknown says what of a command line the programs do not know; empty if they know all of it.
func unknown(t *testing.T, line string, targets []string) string {
	t.Helper()
	tokens := strings.Fields(line)
	if tokens[0] == "make" {
		for _, target := range tokens[1:] {
			if word.MatchString(target) && !slices.Contains(targets, target) {
				return "target " + target
			}
		}
		return ""
	}
	var words []string
	for _, token := range tokens[1:] {
		if !word.MatchString(token) {
			break
		}
		words = append(words, token)
	}
	help := helpOf(words, tokens[0])
	m := usage.FindStringSubmatch(help)
	if m == nil {
		return "command, which has no help"
	}
	path := 0
	for _, token := range strings.Fields(m[1])[1:] {
		if !word.MatchString(token) {
			break
		}
		path++
	}
	if path < len(words) && strings.Contains(help, "Available Commands:") {
		return "command " + words[path]
	}
	for _, token := range tokens[1:] {
		flag, _, _ := strings.Cut(strings.TrimRight(token, ",;…"), "=")
		if strings.HasPrefix(flag, "--") && !strings.Contains(help, flag+" ") && !strings.Contains(help, flag+"[") && !strings.Contains(help, flag+"\n") {
			return "flag " + flag
		}
	}
	return ""
}

func helpOf(words []string, program string) string {
	var out bytes.Buffer
	args := append(slices.Clone(words), "--help")
	if program == "cartdemo" {
		demo.Main(context.Background(), args, &out, &out)
	} else {
		cli.Main(context.Background(), args, strings.NewReader(""), &out, &out)
	}
	return out.String()
}

func makeTargets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(string(text), -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// What the text names in backticks exists: the command, its flags, the target of make.
func TestNamedCommandsExist(t *testing.T) {
	targets, count := makeTargets(t), 0
	texts := pages(t)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for _, m := range named.FindAllStringSubmatch(texts[name], -1) {
			count++
			if _, ok := later[m[1]]; ok {
				continue
			}
			if what := unknown(t, m[1], targets); what != "" {
				t.Errorf("%s: `%s`: there is no %s", name, m[1], what)
			}
		}
	}
	if count < 30 {
		t.Errorf("got %d command lines only", count)
	}
	t.Logf("%d command lines in backticks", count)
	for line, want := range map[string]string{
		"geoshard aply": "command aply", "geoshard cluster upp --auth": "command upp", "geoshard plan --detailed-exitcod": "flag --detailed-exitcod", "make tests": "target tests",
		"cartdemo sreve": "command, which has no help", "cartdemo serve --no-such": "flag --no-such", "geoshard cluster up --auth --tls": "", "geoshard drain zone SYD --into LON": "", "make e2e PKG=./x": "",
	} {
		if got := unknown(t, line, targets); got != want {
			t.Errorf("%s: got %q unknown, want %q", line, got, want)
		}
	}
}
