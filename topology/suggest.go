package topology

import (
	"fmt"
	"strings"

	"github.com/geoshard/geoshard/internal/spelling"
)

// didYouMean is the suggestion for a misspelt word: the nearest of the known ones, or the list of all.
func didYouMean[S ~string](word string, known []S) string {
	if near := didYouMeanOnly(word, known); near != "" || len(known) == 0 {
		return near
	}
	return "known: " + strings.Join(each(known, func(k S) string { return string(k) }), ", ")
}

// didYouMeanOnly is for messages that list the known words already.
func didYouMeanOnly[S ~string](word string, known []S) string {
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}
