// Package box is the network between the datacenters of a cluster in containers: the program that runs in a container of its own, and the
// client that steers it.
//
// A datacenter is one of Docker's networks. The box stands in all of them and answers there to the name of every member, so that whatever a
// container sends to a member goes through it: with the delays and faults of the link from the datacenter that the sender's address belongs
// to. This machine reaches each member through a second port of the box, past all links.
package box
