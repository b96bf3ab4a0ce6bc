package topology

import "github.com/geoshard/geoshard/internal/spelling"

// didYouMean is the suggestion for a misspelt word: the nearest of the known ones, or the list of all.
func didYouMean[S ~string](word string, known []S) string {
	all := ""
	if len(known) > 0 {
		all = "known: " + spelling.List(known)
	}
	return spelling.Hint(word, known, all)
}
