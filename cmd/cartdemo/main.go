// Command cartdemo is the demonstration of geoshard: a shop whose carts are written in one datacenter and read in all.
package main

import (
	"context"
	"os"

	"github.com/geoshard/geoshard/cart/demo"
)

func main() { os.Exit(demo.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }
