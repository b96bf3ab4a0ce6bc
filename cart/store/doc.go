// Package store keeps the demonstration shop in MongoDB: carts, orders, stock, catalogue, suppliers' notices.
//
// Every write names the full shard key, so it goes to one shard; it is atomic, so concurrent writers lose nothing; and it carries the request's key, so
// it happens once. Nothing is read, changed here and written back, but where the version that was read is part of the write.
//
//	shop, err := store.New(store.Options{Client: client, DataCenter: "LON"})
//	err = shop.Setup(ctx, nil)
//	cart, outcome, err := shop.Change(ctx, profile, handle, cart.Request{Key: key, At: now, Change: cart.RemoveItem{SKU: "book"}})
//
// A profile of package consistency says what each operation waits for and who may answer. Operations join the session of their context. Refusals
// are the errors of package cart; anything else is the driver's.
package store
