// Package hint gives errors a way out: what to do next, apart from what is wrong. Programs print it under the error.
//
// [New] adds a hint to an error, which errors.Is and errors.As see through. An error type that knows facts works its hint out in a method Hint() string
// of its own. [Of] finds either. [NewOf] is for errors that are branched on by a kind and have a text of their own.
//
// A hint is one sentence without a full stop. It never decides anything: branch on the error.
//
//	err := hint.New(fmt.Errorf("open %s: %w", name, fs.ErrNotExist), "write it with geoshard init")
//	fmt.Fprintln(os.Stderr, err)
//	fmt.Fprintln(os.Stderr, "hint:", hint.Of(err))
package hint
