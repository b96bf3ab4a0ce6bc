// Package container runs a geo cluster in containers, for tests that want a sharded MongoDB with several datacenters, the distances between
// them, and partitions: a [cluster.Cluster] on testcontainers-go.
//
//	c, err := container.Run(ctx, container.WithPreset("nyc-lon-syd"), container.WithImage("mongo:8"))
//	defer c.Close(ctx)
//	uri, err := c.URI("LON")        // London's query router, for clients on this machine
//	uri, err = c.NetworkURI("LON")  // and for containers on the network c.Network("LON")
//	err = cluster.Isolate(ctx, c, "SYD")
//
// A datacenter is one of Docker's networks, a member one container. A further container, the box, stands in all networks and answers to
// the members' names there, so that all they send each other passes it: it makes the delays, cuts and lags (package wan), without rights in
// the kernel and without entries in /etc/hosts. It runs in the same image; its program is built with the go command when it is needed.
//
// Only ports of 127.0.0.1 are published. Whatever ends the program, a panic or SIGKILL too, a watching process removes the containers and
// networks then; testcontainers' own reaper does as well, where it is not switched off. What neither could remove, the next Run does.
//
// The image needs mongod and mongos. Where none can be pulled, scripts/image.sh makes one, with the development query router in
// the place of mongos. The package never starts another version than the image's, and never pulls an image that is there.
package container
