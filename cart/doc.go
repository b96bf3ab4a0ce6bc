// Package cart is the demonstration's domain, not part of the toolkit: a shop whose carts are written in one datacenter and read in all.
//
// Everything of the shop belongs to a datacenter, and says so in the first field of its shard key. A cart's handle, DATACENTER.ULID, tells
// whoever holds it where the cart is at home; so no table of carts is needed to route a request.
//
// The package decides and does nothing: [Cart.With] says what a request makes of a cart, [PlanOrder] what a checkout orders. It has no clock, no
// database and no network. cart/store does in the database, in one atomic update, what With says; a test holds the two against each other.
//
// A request carries a key that the client made ([CheckKey]). The keys of the last half hour are stored with the cart, so that a request which is
// sent again, because its answer was lost, is not done again; older keys are refused. Together this means never twice.
package cart
