// Package spelling guesses what a misspelt word means: the source of every "did you mean". It never corrects anything by itself.
//
//	spelling.Nearest("LNO", []string{"NYC", "LON", "SYD"}) // "LON"
package spelling
