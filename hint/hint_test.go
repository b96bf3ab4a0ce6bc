package hint_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/geoshard/geoshard/hint"
)

var errWrong = errors.New("wrong")

// A known error works out its hint by itself.
type known struct{ hint string }

func (k known) Error() string { return "known" }
func (k known) Hint() string  { return k.hint }

// The outermost error that has something to say is heard.
func TestOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errWrong, ""},
		{hint.New(errWrong, "do this"), "do this"},
		{known{"do that"}, "do that"},
		{fmt.Errorf("up: %w", hint.New(errWrong, "do this")), "do this"},
		{hint.New(hint.New(errWrong, "inner"), "outer"), "outer"},
		{hint.New(known{"do that"}, ""), "do that"},
		{errors.Join(errWrong, known{""}, fmt.Errorf("up: %w", known{"do that"}), known{"too late"}), "do that"},
		{fmt.Errorf("%w: %w", errWrong, hint.New(errWrong, "do this")), "do this"},
	} {
		if got := hint.Of(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

func TestErrorsAreSeenThroughAHint(t *testing.T) {
	err := fmt.Errorf("up: %w", hint.New(fmt.Errorf("%w: %w", errWrong, known{"inner"}), "outer"))
	var hinted *hint.Error
	var k known
	if !errors.Is(err, errWrong) || !errors.As(err, &hinted) || hinted.Text != "outer" || !errors.As(err, &k) || k.hint != "inner" {
		t.Errorf("got %v, %v, %v", err, hinted, k)
	}
	if got, want := err.Error(), "up: wrong: known"; got != want {
		t.Errorf("got %q, want %q: the hint is no part of the text", got, want)
	}
}
