package catalog

import (
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// What a managed service refuses is told with the command, what it needs and a way out.
func TestRefusalsAreToldInClearWords(t *testing.T) {
	c := &Catalog{uri: "mongodb://amy:hunter2@db.example.net"}
	for _, test := range []struct {
		command, on string
		code        int32
		want        error
		hint        string
	}{
		{"addShardToZone", "", codeUnauthorized, ErrNotAllowed, "addShardToZone needs the action enableSharding on the cluster, or update on config.shards"},
		{"updateZoneKeyRange", "", codeUnauthorized, ErrNotAllowed, "config.tags"},
		{"find", "config.chunks", codeUnauthorized, ErrNotAllowed, "find on config.chunks"},
		{"collMod", "shop.carts", codeUnauthorized, ErrNotAllowed, "collMod on shop.carts"},
		{"addShardToZone", "", codeAtlas, ErrUnsupported, "managed service"},
		{"hello", "", codeUserNotFound, ErrLogin, "$external"},
		{"balancerStatus", "", codeCommandNotFound, ErrUnsupported, "6.0"},
		{"$shardedDataDistribution", "", codeUnknownStage, ErrUnsupported, "6.0.3"},
		{"updateZoneKeyRange", "", codeAPIStrict, ErrUnsupported, "Stable API"},
	} {
		answer := mongo.CommandError{Code: test.code, Message: "no", Name: "Refused"}
		err := c.fail("do it", test.command, test.on, answer)
		var told *Error
		if !errors.Is(err, test.want) || !errors.As(err, &told) || !strings.Contains(told.Hint(), test.hint) {
			t.Errorf("%s, code %d: got %v, hint %q", test.command, test.code, err, told.Hint())
			continue
		}
		if test.want == ErrUnsupported && !strings.Contains(err.Error(), test.command) {
			t.Errorf("%v does not name %s", err, test.command)
		}
		if !refused(err) && test.want != ErrLogin {
			t.Errorf("%v does not count as refused", err)
		}
		if again := c.fail("do more", "find", "", err); again != err {
			t.Errorf("told twice: %v", again)
		}
	}
	err := c.fail("do it", "find", "", mongo.CommandError{Code: codeUnauthorized, Message: "quotes hunter2"})
	if strings.Contains(err.Error(), "hunter2") || !errors.Is(err, ErrNotAllowed) {
		t.Errorf("got %v", err)
	}
}
