// Package serverversion reads and compares MongoDB's versions.
//
//	v, err := serverversion.Parse("6.0.5")
//	if v.Less(serverversion.Oldest) {
package serverversion
