#!/usr/bin/env bash
# Compiles the programs and type-checks the tests for each system that geoshard is made for. No C compiler is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

for os in linux darwin windows; do
  for arch in amd64 arm64; do
    echo "cross: $os/$arch"
    CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build ./...
    CGO_ENABLED=0 GOOS=$os GOARCH=$arch go vet ./...
  done
done
