// Package catalog stands between zones/plan and zones/apply and a real sharded cluster: it reads the config catalogue into a zones.State, performs a
// plan's changes one by one, and counts what is to be moved.
//
// It speaks to the query router, with documented commands alone, and with each shard's members where they can be reached, to see how the
// replica sets are built. It never starts or stops the balancer, and never shows a credential.
//
//	c, err := catalog.Open(ctx, catalog.Options{URI: uri})
//	defer c.Close(ctx)
//	state, err := c.Read(ctx, []string{"shop.carts", "shop.orders"})
//	err = c.Perform(ctx, zones.AddShardToZone{Shard: "lon", Zone: "LON"})
//
// Every change is read back: the server ignores some without a word, and that is an error here (ErrIgnored).
package catalog
