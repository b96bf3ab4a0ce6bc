// Package dockertest runs clusters in containers that end with a test. It finds what tests need for that: the daemon, and the image of MongoDB that scripts/image.sh
// builds. Where they are missing a test is skipped, loudly, or fails where containers are required (GEOSHARD_REQUIRE_CONTAINERS=1).
package dockertest
