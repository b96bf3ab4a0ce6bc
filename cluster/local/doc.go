// Package local runs a geo cluster of real mongod processes on this machine.
//
// The process that calls [Start] is the supervisor: it owns the children, the emulated network between the datacenters
// and a control API on loopback, through which other processes [Attach]. Children die with the supervisor; what a killed
// supervisor leaves on disk is found through its state file and removed by [Down] or the next Start of that name.
// [StartDetached] starts a supervisor of its own.
//
// The package never listens beyond 127.0.0.1, never touches a process that it did not start, and sends documented
// commands only. Where no mongos is found the development query router runs, in a child that re-executes this program;
// so main (or TestMain) must call [ChildMain] first.
//
//	func main() {
//		local.ChildMain()
//		c, err := local.Start(ctx, local.Options{Name: "demo", Topology: t})
//		defer c.Close(context.Background())
//		uri, err := c.URI("NYC")
//	}
package local
