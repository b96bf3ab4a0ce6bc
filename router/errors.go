package router

import "errors"

// ErrNoTable means that a world does not say how to route.
var ErrNoTable = errors.New("no routing table")
