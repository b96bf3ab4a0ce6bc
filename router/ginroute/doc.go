// Package ginroute routes requests inside a gin application: it decides which datacenter serves a request, and redirects the client there or lets the handler
// serve it.
//
// It is the router for applications without a gateway. The handler learns what was decided, above all the home of a new record, and the client gets a
// signed cookie with it, so that it comes back to the same datacenter. Nothing of a request is believed beyond the choice among the topology's
// datacenters, and no request is redirected to an address that is not in the topology, or twice.
//
//	route, err := ginroute.New(ginroute.Options{Table: table, Here: "NYC", Keys: keys})
//	engine.Use(route)
//	engine.POST("/v1/carts", func(c *gin.Context) {
//		home := ginroute.From(c).Home // "NYC": the zone key's value of the new cart
//		...
//	})
//
// A request that would have to wait for an election is let through: the database's driver waits as well.
package ginroute
