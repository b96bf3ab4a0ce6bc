// Package clients proves that real clients cannot tell geoshard's query router from any other: it runs small scripts of our own in mongosh and in
// PyMongo against a running cluster, and reads what they report.
//
// A script has one subject. It prints one line for each check, `ok NAME` or `not ok NAME: got …, want …`, may print values as `= NAME: JSON`, and
// ends with `done COUNT`. The same scripts run against a plain replica set, wherever that has to behave alike: there the checks prove themselves, and every
// value printed has to be the same on both.
//
// The package never installs anything outside the user's cache directory, and never changes a cluster that it was not given. GEOSHARD_TEST_URI makes it use
// a query router that runs already, instead of starting a cluster; GEOSHARD_REQUIRE_CLIENTS=1 makes a missing Node.js or Python a failure.
//
//	m, err := clients.Mongosh(ctx)
//	report, err := m.Run(ctx, clients.Script{Path: "mongosh/crud.js", URI: uri, Env: env})
package clients
