package rehome

import (
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// What MongoDB answers for shards with arbiters comes with a way out; any other error stays as it is.
func TestArbitersAreExplained(t *testing.T) {
	refused := mongo.CommandError{Code: 148, Message: "'prepareTransaction' is not supported for replica sets with arbiters"}
	err := explained(refused)
	var hinted *Error
	if !errors.Is(err, ErrNotMovable) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "member with data") {
		t.Errorf("got %v, want ErrNotMovable with a hint", err)
	}
	other := mongo.CommandError{Code: 148, Message: "something else"}
	if got := explained(other); got.Error() != other.Error() || errors.Is(got, ErrNotMovable) {
		t.Errorf("got %v, want it unchanged", got)
	}
}
