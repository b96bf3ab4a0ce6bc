// Package replica asks and steers the members of replica sets for those who run them: what a member says about itself, which of its errors
// pass, and how it is held behind. It neither starts nor dials anything: a [Member] is given by the provider.
package replica
