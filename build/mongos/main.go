// Command mongos is what the local container image carries under that name where there is no mongos of MongoDB: the development query
// router, with the mongod that it needs as its core. It takes the options of mongos by which this project starts one.
//
// It is for the images that scripts/image.sh makes, and runs the image's own mongod, which has to be 6.0.x.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/geoshard/geoshard/internal/devmongos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := devmongos.Main(ctx, os.Args[1:], devmongos.Place{}); err != nil && !errors.Is(err, devmongos.ErrVersionAsked) {
		fmt.Fprintln(os.Stderr, "mongos (devmongos):", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
