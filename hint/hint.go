package hint

import "fmt"

// An Error is an error with a hint. Branch on what it wraps.
type Error struct {
	Err error
	// Text is what to do next.
	Text string
}

// New returns err with a hint. err is not nil.
func New(err error, text string) error { return &Error{Err: err, Text: text} }

// NewOf returns an error of a kind, for errors.Is, with a hint. The text is its own: that of the kind is no part of it.
func NewOf(kind error, hint, format string, args ...any) error {
	return New(&ofKind{kind, fmt.Sprintf(format, args...)}, hint)
}

type ofKind struct {
	kind error
	text string
}

func (e *ofKind) Error() string { return e.text }
func (e *ofKind) Unwrap() error { return e.kind }

// Error returns the text of Err, without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns Text.
func (e *Error) Hint() string { return e.Text }

// Errorf returns the error that fmt.Errorf makes of a format and its arguments, with a hint.
func Errorf(hint, format string, args ...any) error { return New(fmt.Errorf(format, args...), hint) }

// Of returns the hint of the outermost error in the tree of err that has one to give; "" for none.
func Of(err error) string {
	if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
		return h.Hint()
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		return Of(u.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			if text := Of(inner); text != "" {
				return text
			}
		}
	}
	return ""
}
