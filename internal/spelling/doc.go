// Package spelling guesses what a misspelt word means, and lists the names that it could have been: the source of every "did you mean". It never corrects anything
// by itself.
//
//	known := []string{"NYC", "LON", "SYD"}
//	spelling.Nearest("LNO", known)                          // LON
//	spelling.Hint("LNO", known, "known: "+spelling.List(known)) // did you mean "LON"?
package spelling
