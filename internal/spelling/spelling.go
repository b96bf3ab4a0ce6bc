package spelling

import (
	"fmt"
	"strings"
)

// Nearest returns the candidate that a misspelt word most likely means, or "": the one with the fewest edits, which are at most a
// third of its letters. Case does not count as an edit.
func Nearest[S ~string](word string, candidates []S) S {
	var best S
	fewest := len(word) + 1
	for _, c := range candidates {
		most := max(1, len(c)/3)
		if gap := len(word) - len(c); gap > most || -gap > most {
			continue // each missing letter is an edit
		}
		if n := edits(strings.ToLower(word), strings.ToLower(string(c))); n <= most && n < fewest {
			best, fewest = c, n
		}
	}
	return best
}

// Hint asks whether a misspelt word means the nearest of the known ones; where none is near it is otherwise.
func Hint[S ~string](word string, known []S, otherwise string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return otherwise
}

// List is names as messages list them: with commas.
func List[S ~string](names []S) string { return strings.Join(Texts(names), ", ") }

// Texts are names without their type.
func Texts[S ~string](names []S) []string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return texts
}

// edits is the Damerau-Levenshtein distance with adjacent transpositions: "lno" is one slip away from "lon", not two.
func edits(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
