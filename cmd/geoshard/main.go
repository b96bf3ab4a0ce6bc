// Command geoshard runs one MongoDB sharded cluster across datacenters.
package main

import (
	"context"
	"os"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/cli"
)

func main() {
	local.ChildMain() // a query router of a running cluster is this program again; then the call does not return
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
