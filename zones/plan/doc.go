// Package plan says what has to be done to give a sharded cluster the zones and ranges that a topology declares, and what it will cost.
//
// [Make] makes a plan of a cluster, by way of a [Source]; package zones/catalog has one. [New] is its pure part: the plan depends on its arguments alone.
// It compares what the topology wants ([Want]) with what there is, looks at the cluster for what will surprise somebody, forecasts what the balancer will
// move, and lists what has to be done by hand. [Rollback] plans the way back. [Import], [DrainZone] and [DrainDatacenter] change topologies instead; [PlanRole]
// and [ApplyRole] are the privileges that all of it takes.
//
// Nothing here changes a cluster: package zones/apply does.
package plan
