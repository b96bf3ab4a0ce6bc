package devmongos_test

import (
	"fmt"
	"slices"
	"testing"
)

// An attempt is one write of a chaos writer. Every write leaves its own token in the database, so what became of it can
// be counted: a document of that _id, or an element of a counter's list.
type attempt struct {
	token string
	// acknowledged is what the client was told. A write that was not acknowledged may have happened or not.
	acknowledged bool
}

// A counter is a document that writers increment, and to which they append their token in the same write.
type counter struct {
	id     string
	n      int64
	tokens []string
}

// verify says what is wrong with what the database holds after these attempts: every acknowledged write must be there
// exactly once, every other one once or not at all, and nothing else.
func verify(attempts []attempt, documents []string, counters []counter) (wrong []string) {
	found := map[string]int{}
	for _, token := range documents {
		found[token]++
	}
	seen := map[string]bool{}
	for _, c := range counters {
		if seen[c.id] {
			wrong = append(wrong, fmt.Sprintf("counter %s is there twice", c.id))
		}
		seen[c.id] = true
		if c.n != int64(len(c.tokens)) {
			wrong = append(wrong, fmt.Sprintf("counter %s is %d, but has %d tokens", c.id, c.n, len(c.tokens)))
		}
		for _, token := range c.tokens {
			found[token]++
		}
	}
	for _, a := range attempts {
		switch n := found[a.token]; {
		case a.acknowledged && n == 0:
			wrong = append(wrong, fmt.Sprintf("acknowledged write %s is lost", a.token))
		case n > 1:
			wrong = append(wrong, fmt.Sprintf("write %s is there %d times", a.token, n))
		}
		delete(found, a.token)
	}
	for token, n := range found {
		wrong = append(wrong, fmt.Sprintf("%s is there %d times, and nobody wrote it", token, n))
	}
	slices.Sort(wrong)
	return wrong
}

// TestChaosCheckerCanFail gives the checker databases with one fault each.
func TestChaosCheckerCanFail(t *testing.T) {
	attempts := []attempt{{"a", true}, {"b", true}, {"c", false}, {"d", false}, {"e", true}}
	good := func() ([]string, []counter) {
		return []string{"a", "c"}, []counter{{"w0", 2, []string{"b", "e"}}}
	}
	cases := []struct {
		name  string
		spoil func(documents []string, counters []counter) ([]string, []counter)
		want  []string
	}{
		{"nothing is wrong; of the two that failed one is there", func(d []string, c []counter) ([]string, []counter) { return d, c }, nil},
		{"an acknowledged insert is lost", func(d []string, c []counter) ([]string, []counter) { return d[1:], c }, []string{"acknowledged write a is lost"}},
		{"a document lies on two shards", func(d []string, c []counter) ([]string, []counter) { return append(d, "a"), c }, []string{"write a is there 2 times"}},
		{"a failed write is there twice", func(d []string, c []counter) ([]string, []counter) { return append(d, "c"), c }, []string{"write c is there 2 times"}},
		{"an increment is repeated", func(d []string, c []counter) ([]string, []counter) {
			c[0].n, c[0].tokens = 3, append(c[0].tokens, "b")
			return d, c
		}, []string{"write b is there 2 times"}},
		{"an increment without its token", func(d []string, c []counter) ([]string, []counter) { c[0].n++; return d, c }, []string{"counter w0 is 3, but has 2 tokens"}},
		{"an increment is lost", func(d []string, c []counter) ([]string, []counter) {
			c[0].n, c[0].tokens = 1, c[0].tokens[:1]
			return d, c
		}, []string{"acknowledged write e is lost"}},
		{"a counter lies on two shards", func(d []string, c []counter) ([]string, []counter) { return d, append(c, counter{id: "w0"}) }, []string{"counter w0 is there twice"}},
		{"a token from nowhere", func(d []string, c []counter) ([]string, []counter) { return append(d, "x"), c }, []string{"x is there 1 times, and nobody wrote it"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			documents, counters := c.spoil(good())
			if got := verify(attempts, documents, counters); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
