package serverversion_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/internal/testkit"
)

func TestRulesHoldForTheirVersions(t *testing.T) {
	for _, c := range []struct {
		rule    serverversion.Rule
		in, out []string
	}{
		{serverversion.TooOld, []string{"5.0.31"}, []string{"6.0.0", "8.0.4"}},
		{serverversion.NoDistribution, []string{"6.0.0", "6.0.2"}, []string{"6.0.3", "7.0.0"}},
		{serverversion.HiddenValidators, []string{"6.0.5", "6.1.0", "7.0.14"}, []string{"6.0.27", "7.2.0", "8.0.4"}},
		{serverversion.BalancerCrash, []string{"6.0.11", "6.1.0", "7.0.4"}, []string{"5.0.31", "6.0.12", "7.0.5"}},
		{serverversion.WeakEnableSharding, []string{"6.0.5", "8.0.23", "8.3.2"}, []string{"8.0.24", "8.3.3", "9.0.0"}},
		{serverversion.RangeOfMoved, []string{"8.0.0", "8.1.2"}, []string{"7.0.30", "8.2.0"}},
		{serverversion.OrphansKeptLonger, []string{"8.2.0", "9.0.0"}, []string{"8.1.9"}},
		{serverversion.Advisory131805, []string{"8.3.0", "8.3.12"}, []string{"8.2.12", "8.3.13"}},
	} {
		for want, versions := range map[bool][]string{true: c.in, false: c.out} {
			for _, text := range versions {
				v, err := serverversion.Parse(text)
				if err != nil || c.rule.Holds(v) != want {
					t.Errorf("%s holds for %s: got %v (%v), want %v", c.rule.Name, text, !want, err, want)
				}
			}
		}
	}
}

func TestEveryRuleHasAllItSays(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range serverversion.Rules {
		if r.Name == "" || len(r.In) == 0 || r.Server == "" || r.Program == "" || r.Source == "" || seen[r.Name] {
			t.Errorf("%+v: want a name of its own, versions, both sentences and a source", r)
		}
		seen[r.Name] = true
	}
	if !slices.IsSortedFunc(serverversion.Releases, func(a, b serverversion.Release) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the releases are not sorted")
	}
}

// TestPreflight: testdata/preflight.txt is what users read.
func TestPreflight(t *testing.T) {
	cluster := func(servers ...serverversion.Server) serverversion.Facts {
		return serverversion.Facts{Servers: servers, Shards: 3, Balancing: true}
	}
	server := func(name, version, fcv string) serverversion.Server {
		return serverversion.Server{Name: name, Version: version, FCV: fcv}
	}
	router := func(version string) serverversion.Server { return server("the query router", version, "") }
	four := cluster(router("6.0.11"))
	four.Shards = 4
	later := cluster(router("7.0.4-ent"))
	later.Shards = 4
	config := cluster(router("8.0.4"), server("shard config", "8.0.4", "8.0"))
	config.ConfigShard = true
	direct := cluster(router("8.0.4"))
	direct.Direct = true
	directAlone := direct
	directAlone.Shards = 1
	directOld := cluster(router("6.0.5"))
	directOld.Direct = true
	var got strings.Builder
	for _, c := range []struct {
		name  string
		facts serverversion.Facts
	}{
		{"nothing known", serverversion.Facts{}},
		{"6.0.5 everywhere", cluster(router("6.0.5"), server("shard a", "6.0.5", "6.0"))},
		{"a patch apart", cluster(router("6.0.27"), server("shard a", "6.0.5", "6.0"))},
		{"too old", cluster(router("6.0.5"), server("shard a", "5.0.31", "5.0"))},
		{"no version", cluster(router("unknown"), server("shard a", "6.0.5", "6.0"))},
		{"an upgrade that is not finished", cluster(router("6.0.5"), server("shard a", "7.0.9", "6.0"), server("shard b", "6.0.5", "6.0"))},
		{"an old featureCompatibilityVersion", cluster(router("6.0.5"), server("shard a", "6.0.5", "5.0"))},
		{"four shards with 6.0.11", four},
		{"four shards with 7.0.4", later},
		{"a release that was read", cluster(router("8.2.1"))},
		{"a release between", cluster(router("6.3.1"))},
		{"9.0", cluster(router("9.0.0"))},
		{"later ones", cluster(router("10.0.0"))},
		{"a version with an advisory", cluster(router("8.3.12"))},
		{"a config shard", config},
		{"direct reads", direct},
		{"direct reads of one shard", directAlone},
		{"direct reads of 6.0", directOld},
	} {
		fmt.Fprintf(&got, "== %s\n", c.name)
		for _, w := range serverversion.Preflight(c.facts) {
			refused := ""
			if w.Refused {
				refused = " (refused)"
			}
			fmt.Fprintf(&got, "%s%s: %s\n  hint: %s\n", w.Rule, refused, w.Message, w.Hint)
		}
	}
	testkit.Golden(t, "testdata/preflight.txt", got.String())
}

const (
	page  = "../../docs/versions.md"
	begin = "<!-- made from internal/serverversion by its test; GEOSHARD_GOLDEN=rewrite (make golden) writes it -->\n"
	end   = "<!-- the end of what is made -->\n"
)

// TestThePageHasTheRules holds docs/versions.md against the tables, or writes them into it.
func TestThePageHasTheRules(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, began := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !began || !ended {
		t.Fatalf("%s: the marks are gone between which the tables stand", page)
	}
	testkit.Golden(t, page, before+begin+tables()+end+after)
}

// tables are the tables of the page.
func tables() string {
	var b strings.Builder
	b.WriteString("\n| release | what was done |\n|---|---|\n")
	for _, r := range serverversion.Releases {
		fmt.Fprintf(&b, "| %s | %s |\n", r.Name, r.How)
	}
	b.WriteString("\n| rule | versions | what these servers do | what geoshard does | source |\n|---|---|---|---|---|\n")
	for _, r := range serverversion.Rules {
		var spans []string
		for _, s := range r.In {
			spans = append(spans, s.String())
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Name, strings.Join(spans, "; "), r.Server, r.Program, r.Source)
	}
	b.WriteString("\n")
	return b.String()
}
