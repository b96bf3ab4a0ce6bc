package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

func ExampleParseMemberName() {
	n, _ := cluster.ParseMemberName("nyc/LON.2")
	fmt.Println(n.Set, n.DC, n.Ordinal)
	_, err := cluster.ParseMemberName("nyc-LON")
	fmt.Println(errors.Is(err, topology.ErrUnknownMember), err)
	// Output:
	// nyc LON 2
	// true unknown member "nyc-LON"
}

// A printer is a Breaker that tells what it is asked for.
type printer struct{ cluster.Breaker }

func (printer) Apply(_ context.Context, fault wan.Fault) error {
	_, err := fmt.Println(fault)
	return err
}

func ExampleIsolate() {
	ctx, c := context.Background(), printer{}
	_ = cluster.Isolate(ctx, c, "SYD")
	_ = cluster.Cut(ctx, c, "NYC", "LON")
	_ = c.Apply(ctx, wan.Delay{A: "NYC", B: "LON", RTT: 300 * time.Millisecond})
	// Output:
	// isolate SYD
	// cut NYC LON
	// delay NYC LON 300ms
}
