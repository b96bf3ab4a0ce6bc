// Package shipping prices the delivery of the demonstration shop's carts: which warehouse sends, and what it costs.
//
// [Quote] decides, [Process] acts: a background process in each datacenter, which prices the carts there after each change. A price is written only
// on the version of the cart that it was made from, so it never tells of three things in a cart of one. In a database of several masters it does.
package shipping
