#!/usr/bin/env bash
# Compiles for each system that geoshard is made for: everything with its tests once for each operating system, what differs between processors is not in
# them, and the programs for the other processor. No C compiler is needed. The tests compile linux/amd64 anyway.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0

for os in linux darwin windows; do
  for arch in amd64 arm64; do
    [ "$os/$arch" != linux/amd64 ] || continue
    echo "cross: $os/$arch"
    case $arch in
      amd64) GOOS=$os GOARCH=$arch go vet ./... ;;
      arm64) GOOS=$os GOARCH=$arch go build ./cmd/... ./cluster/container/box ;;
    esac
  done
done
