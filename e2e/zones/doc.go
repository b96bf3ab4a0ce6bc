// Package zones proves zones as code from end to end, on real clusters: what geoshard.yaml declares is planned, applied, planned again to nothing, filled with
// documents, and verified document by document. It holds tests alone.
//
//   - Each preset, on a cluster of its own topology. The profilers of the shards are the witnesses of which shards a query asks.
//   - Random worlds on one cluster, some of them changed while they hold documents. What moves then is compared with the forecast.
//   - A cluster with passwords and certificates.
//   - Wrong input: testdata has what the user reads.
//
// GEOSHARD_SOAK=1 makes 1,000 random worlds of 20, GEOSHARD_SEED repeats a run.
package zones
