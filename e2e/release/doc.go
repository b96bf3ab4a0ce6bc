// Package release tests what a release is made of: the compose file, the manifests and the configuration are held against the programs' own flags, and the
// container images' last stages are built and run. It holds tests alone.
//
// Without Docker the tests of the images are skipped, which `make test` says loudly; with GEOSHARD_REQUIRE_CONTAINERS=1 they fail instead.
package release
