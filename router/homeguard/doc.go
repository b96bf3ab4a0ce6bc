// Package homeguard watches what a program asks of a sharded cluster, and counts, warns about or refuses operations that leave their datacenter: those
// that name no zone key, and those whose key is at home in another datacenter.
//
// A Guard has two parts. Its Monitor, set on the driver's client, sees every command that is sent: it counts, per query shape (command, namespace, and
// the filter's fields and operators without their values), and warns. Its Collection wraps a collection of the driver and refuses, before anything is sent.
// A deliberate exception, such as a global report, runs under Allow.
//
// Where an operation goes is worked out from the declared topology alone: the ranges that the plan makes of it, targeted by the same rules as the query
// router's. The guard asks the cluster nothing. So it is as right as the cluster is like its declaration, which `geoshard verify` proves; and it judges
// homes, not where a primary happens to be after an election.
//
// It looks at filters, the leading $match of pipelines, and inserted documents. It does not look into the later stages of a pipeline ($lookup, $merge), nor does it
// see that an update changes a zone key. Values are never kept, logged or exported.
//
//	guard, err := homeguard.New(homeguard.Options{World: world, Here: "NYC", Mode: homeguard.ModeRefuse, Log: log})
//	client, err := mongo.Connect(opts.SetMonitor(guard.Monitor(opts.Monitor)))
//	carts := guard.Collection(client.Database("shop").Collection("carts"))
//	err = carts.FindOne(ctx, bson.D{{Key: "userId", Value: 7}}).Err() // *homeguard.Error: errors.Is(err, homeguard.ErrLeavesHome)
package homeguard
