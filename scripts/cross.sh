#!/usr/bin/env bash
# Compiles the packages for each system that geoshard is made for, and type-checks the tests once for each operating system: what differs between
# processors is not in them. No C compiler is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

for os in linux darwin windows; do
  for arch in amd64 arm64; do
    echo "cross: $os/$arch"
    CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build ./...
    if [ "$arch" = amd64 ]; then CGO_ENABLED=0 GOOS=$os GOARCH=$arch go vet ./...; fi
  done
done
