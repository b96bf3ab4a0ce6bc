package serve

import "errors"

// ErrUnfinished means that requests under way were broken off at the end.
var ErrUnfinished = errors.New("not all requests ended")
