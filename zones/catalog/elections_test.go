package catalog

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// An apply goes on over an election; what lasts is told, with a way out, and what the server refuses
// is told at once.
func TestChangesAreMadeOverElections(t *testing.T) {
	interrupted := (&Catalog{}).fail("shard shop.carts", "shardCollection", "shop.carts", mongo.CommandError{Code: 11602, Message: "operation was interrupted"})
	refused := (&Catalog{}).fail("shard shop.carts", "shardCollection", "shop.carts", mongo.CommandError{Code: 72, Message: "no such option"})
	for _, c := range []struct {
		name  string
		times int // that the error comes
		err   error
		tries int
		want  error
	}{
		{"no error", 0, nil, 1, nil},
		{"an election", 3, interrupted, 4, nil},
		{"an election that does not end", 1000, interrupted, 62, interrupted},
		{"a refusal", 1000, refused, 1, refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, began := 0, time.Now()
				err := overElections(t.Context(), func() error {
					if tries++; tries <= c.times {
						return c.err
					}
					return nil
				})
				if !errors.Is(err, c.want) || err != c.want || tries != c.tries {
					t.Errorf("got %v after %d tries in %s, want %v after %d", err, tries, time.Since(began), c.want, c.tries)
				}
			})
		})
	}
	if known := (*Error)(nil); !errors.As(interrupted, &known) || known.Hint() == "" {
		t.Errorf("%v has no hint", interrupted)
	}
}
