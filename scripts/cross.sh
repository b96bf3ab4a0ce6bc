#!/usr/bin/env bash
# Compiles for each system that geoshard is made for: everything with its tests once for each operating system, what differs between processors is not in
# them, and the programs for the other processor. No C compiler is needed. The tests compile linux/amd64 anyway.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0

for os in darwin windows; do
  echo "cross: $os/amd64"
  GOOS=$os GOARCH=amd64 go vet ./...
done
for os in linux darwin windows; do
  echo "cross: $os/arm64"
  GOOS=$os GOARCH=arm64 go build ./cmd/... ./cluster/container/box
done
