// Package zonestest is a model of what a cluster's zone commands do, for tests of what plans, applies and builds on both.
//
// It is a model, not a cluster: it knows the rules of the config catalogue (which command is refused when, what is ignored in silence) as they were measured on a server,
// and nothing about chunks, documents and the balancer. Whatever a test proves with it is about the logic above; that the rules are the servers' is proved by
// the tests of zones/catalog on a real cluster.
package zonestest
