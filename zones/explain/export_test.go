package explain

// Sharded is the filter of config.collections.
var Sharded = sharded
