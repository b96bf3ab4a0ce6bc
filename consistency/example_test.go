package consistency_test

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

func Example() {
	src, _ := configs.Read("nyc-lon-syd")
	world, _ := topology.Parse("nyc-lon-syd", src)
	durable, _ := consistency.Lookup("durable")
	for _, e := range consistency.Forecast(durable, world, consistency.Model60, nil) {
		if e.Local {
			fmt.Printf("a write in %s takes %s, a read %s\n", e.Datacenter, e.Write.Median.Round(time.Millisecond), e.Read.Median.Round(time.Millisecond))
		}
	}
	durable.Goals.LocalWrites = true
	for _, p := range consistency.Check(durable, world) {
		fmt.Println(p.Rule)
	}
	// Output:
	// a write in NYC takes 158ms, a read 2ms
	// a write in LON takes 158ms, a read 2ms
	// a write in SYD takes 406ms, a read 2ms
	// local-and-lossless
}

// A token travels as text. In a program it comes from TokenOf and goes on by Advance.
func ExampleOpenToken() {
	key, _ := signing.NewKey("2026-11", bytes.Repeat([]byte("not random, "), 3))
	keys, _ := signing.NewKeyring(key)
	now := time.Unix(1_790_000_000, 0)
	text, _ := consistency.Token{Home: "LON", OperationTime: bson.Timestamp{T: 1_789_999_999, I: 3}, ClusterTime: bson.Timestamp{T: 1_790_000_000}, Issued: now}.Seal(keys)
	fmt.Println(len(text), "characters")

	token, err := consistency.OpenToken(keys, text, now.Add(time.Minute), consistency.Limits{})
	fmt.Println(token.Home, err)
	_, err = consistency.OpenToken(keys, text, now.Add(2*time.Hour), consistency.Limits{})
	fmt.Println(errors.Is(err, consistency.ErrTokenExpired), err)
	fmt.Println(keys)
	// Output:
	// 70 characters
	// LON <nil>
	// true expired token: it is 2h0m0s old, more than 1h0m0s
	// keyring (signs with 2026-11, verifies with 1)
}
