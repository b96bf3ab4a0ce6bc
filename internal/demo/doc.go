// Package demo is geoshard demo: a world of real parts on one machine, and the story that is played in it.
//
// [Start] makes the World: a local cluster of real servers with the WAN between its datacenters, the zones of the declared topology, and in each datacenter
// an instance of the demonstration shop with its inventory service and shipping process, and a gateway in front of it. A [Story] is a list of steps. Each one sends
// real HTTP requests to the gateways, as clients in the datacenters would, tells what came back, and checks it against what the topology says. No number in it is
// written down beforehand: links are read from the topology, latencies are measured, sums are compared with what was acknowledged.
//
// It never looks at the shop other than its clients could, but where a step says so, and it leaves nothing behind: Close ends all that Start began.
//
//	world, err := demo.Start(ctx, demo.Options{Preset: "nyc-lon-syd"})
//	defer world.Close(context.WithoutCancel(ctx))
//	report, err := demo.Play(ctx, world, demo.PlayOptions{Listen: print})
//	// report.Held() is whether every check held
package demo
