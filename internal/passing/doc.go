// Package passing knows the answers of MongoDB that are about the moment: a primary steps down or is
// elected, another command has a lock. Who repeats a command that changes nothing twice gets over
// them.
//
//	if passing.Answer(err) { // try again, within a bound
package passing
