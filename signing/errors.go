package signing

import "errors"

// ErrBadKey means that a key cannot be used.
var ErrBadKey = errors.New("bad key")
