// Package inventory is the demonstration shop's inventory service: one instance in each datacenter, which owns the carts of that datacenter alone.
//
// A supplier's notice that a product is delayed is written once. Every instance finds it by a position in the list of notices, kept in the database, and
// marks the product in each of its open carts exactly once. An instance that is killed goes on from its position: what it marked before, the
// carts themselves know.
//
// The position moves past a notice only some time after the first look at the carts, and each look before that looks again: a request that read the
// catalogue before the notice may put the product into a cart after the first look. It asks by a field that grows and not by a change stream, because
// that works with every query router and starts again without a resume token that can expire.
package inventory
