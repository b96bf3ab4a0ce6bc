package devmongos_test

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/internal/devmongos"
)

// Run serves until its context ends; what is wrong with its configuration it says at once.
func Example() {
	err := devmongos.Run(context.Background(), devmongos.Config{
		Listen:        "127.0.0.1:27017",
		ConfigServers: "127.0.0.1:27019",
		Core:          "127.0.0.1:27100",
	})
	fmt.Println(err)
	// Output: check devmongos configuration: ConfigServers is "127.0.0.1:27019", want name/host:port
}
