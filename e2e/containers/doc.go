// Package containers tests MongoDB in containers on Docker's own network. It holds tests alone.
//
// It never pulls an image that was not asked for, and leaves no container and no network behind: not after a failure, not after a panic,
// and what a killed run left is removed by the next one.
//
//	scripts/image.sh "$(command -v mongod)"                          # a local image, where none can be pulled
//	GEOSHARD_TEST_IMAGE=mongo:8 go test ./e2e/containers             # or one from a registry
//
// Without Docker the tests are skipped, which `make test` says loudly; with GEOSHARD_REQUIRE_CONTAINERS=1 they fail instead.
package containers
