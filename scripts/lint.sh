#!/usr/bin/env bash
# Formatting, vet and staticcheck.
set -euo pipefail
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
  printf 'lint: run gofmt -w on:\n%s\n' "$unformatted" >&2
  exit 1
fi
for script in .ci/run scripts/*.sh; do bash -n "$script"; done
go vet ./...
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
