package cli_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/geoshard/geoshard/internal/cli"
)

func ExampleMain() {
	code := cli.Main(context.Background(), []string{"validate", "--preset", "us-east-west"}, strings.NewReader(""), os.Stdout, os.Stderr)
	fmt.Println("exit code", code)
	// Output:
	// us-east-west: valid: 3 datacenters, 2 shards with 10 members, 2 zones, 1 namespace; survives the loss of a node
	// failover: writes of east wait 12.07s when its primary is killed, 16.06s in 99 of 100 cases (2.7s and 5.65s with an election timeout of 2s); more with geoshard consistency failover
	// exit code 0
}
