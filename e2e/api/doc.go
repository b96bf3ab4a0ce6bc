// Package api proves the demonstration shop's API against its own OpenAPI document from outside: schemathesis, which knows nothing of the shop, reads the document,
// generates requests, right ones and wrong ones, follows the links from answers to further requests, and holds each answer against the document. It holds tests
// alone; the shop is a real instance on a real cluster.
//
// schemathesis is a Python package: it is installed once into the user's cache, in the versions of schemathesis/requirements.txt. Where Python or pip is missing
// the suite says that it did not run, and with GEOSHARD_REQUIRE_PYTHON=1 it fails.
//
// GEOSHARD_SOAK=1 makes up to 400 requests for each operation and phase of 10, GEOSHARD_SEED repeats a run.
package api
