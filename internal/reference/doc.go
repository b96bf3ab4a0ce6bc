// Package reference writes the pages of docs/reference: of a tree of commands, and of a JSON Schema. A page says nothing that the program does not know
// itself, so a test can tell when it is out of date, and `make docs` mends it.
//
//	pages := reference.Commands(root, nil)
//	stale, err := reference.Stale("docs/reference", root.Name(), pages)
package reference
