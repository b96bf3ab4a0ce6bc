package rehome

import (
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/hint"
)

// What MongoDB answers for shards with arbiters comes with a way out; any other error stays as it is.
func TestArbitersAreExplained(t *testing.T) {
	refused := mongo.CommandError{Code: 148, Message: "'prepareTransaction' is not supported for replica sets with arbiters"}
	err := explained(refused)
	if !errors.Is(err, ErrNotMovable) || !strings.Contains(hint.Of(err), "member with data") {
		t.Errorf("got %v, want ErrNotMovable with a hint", err)
	}
	other := mongo.CommandError{Code: 148, Message: "something else"}
	if got := explained(other); got.Error() != other.Error() || errors.Is(got, ErrNotMovable) {
		t.Errorf("got %v, want it unchanged", got)
	}
}
