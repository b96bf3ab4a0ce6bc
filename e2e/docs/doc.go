// Package docs runs the command lines of the documentation: each block of commands (console, sh, bash, shell) of each Markdown file of the repository, in its order, the
// blocks of one file in one shell, against real clusters. A new page falls under it by itself.
//
// What cannot run here has a comment on the line above its fence. The test lists it, with the reason:
//
//	<!-- not-run: it needs an Atlas cluster of yours -->            the whole block
//	<!-- not-run "make soak": it takes hours -->                    the lines of the block that begin so
//
// The shell ends at the first command that fails. It has the programs of this checkout in its PATH, a directory of its own to work in, and local clusters of its own; make
// runs in the repository. Commands that ask are answered with yes. Commands and make targets that the text merely names, in backticks, have to exist.
package docs
