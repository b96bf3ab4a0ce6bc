package clusterflag_test

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/geoshard/geoshard/internal/clusterflag"
)

func ExampleGiven() {
	flags := pflag.NewFlagSet("a command", pflag.ContinueOnError)
	for _, name := range []string{"name", "uri", "uri-file"} {
		flags.String(name, "", "")
	}
	fmt.Println(clusterflag.Given(flags))
	_ = flags.Parse([]string{"--uri-file", "cluster.uri"})
	fmt.Println(clusterflag.Given(flags))
	_ = flags.Parse([]string{"--name", "geoshard"})
	fmt.Println(clusterflag.Given(flags))
	// Output:
	//  <nil>
	// --uri-file <nil>
	//  several clusters are named: --name and --uri-file
}
