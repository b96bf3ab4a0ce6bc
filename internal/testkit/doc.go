// Package testkit is what the project's tests share: counts of ordinary runs and of soaks, seeds, waits for a
// condition, golden files, and a machine to oneself. It imports nothing else of the project, so every package's tests may use it.
// Clusters are in cluster/clustertest.
//
// Nothing here repeats a test: a wait ends when the state is there, and a test that still fails has found something.
package testkit
