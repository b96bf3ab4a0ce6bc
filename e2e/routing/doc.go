// Package routing tests the router on a real cluster: three datacenters of real mongod processes with an emulated WAN, the demonstration shop in each of them, a gateway in
// front of each shop, and three populations of clients.
//
// The shops stand behind fronts of a second emulated network with the same links, so that a request that a gateway passes on to another datacenter
// takes that link's time, and a cut cuts it. GEOSHARD_SOAK=1 runs the counts that are asked for; otherwise there are fewer
// kills, cuts and requests, and the election timeout and the budget of a request are the same.
package routing
