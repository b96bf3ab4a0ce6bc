// Package cli is the geoshard command: flags, wiring and printing. It holds no logic of its own; what a command does is in the
// package that it calls, and what it shows is a value that prints as text and encodes as JSON.
//
// Data goes to the standard output, talk, progress and errors to the standard error. The exit code is 0 when the command did what
// it should, 2 when a comparison found differences, and 1 for everything else.
//
//	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
package cli
