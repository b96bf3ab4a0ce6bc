#!/usr/bin/env bash
# Runs the tests and ends with "N passed, N failed, N skipped". Arguments go to `go test`; without a package, all are tested.
# GEOSHARD_SOAK=1 makes the counts of operations the full ones.
set -euo pipefail
cd "$(dirname "$0")/.."

gotestsum=gotest.tools/gotestsum@v1.13.0
results=$(mktemp)
trap 'rm -f "$results"' EXIT

loud() { printf '\n!!! %s\n\n' "$*" >&2; }

race=(-race)
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
  race=()
  export CGO_ENABLED=0
  loud "NO C COMPILER HERE: the tests run WITHOUT the race detector (on Debian: apt-get install gcc libc6-dev)"
fi

# Built with all cores first; then one package after the other, because each may run a whole cluster.
packages=("$@")
case " $* " in *" ./"*) ;; *) packages+=(./...) ;; esac
flags=("${race[@]}" -p 1 -count=1 -timeout "${GEOSHARD_TEST_TIMEOUT:-30m}")
go build "${race[@]}" ./...

if ! go run "$gotestsum" --version >/dev/null; then
  loud "gotestsum cannot be fetched: no counts at the end, and skipped tests are not listed"
  exec go test "${flags[@]}" "${packages[@]}"
fi

status=0
go run "$gotestsum" --format pkgname --jsonfile "$results" -- "${flags[@]}" "${packages[@]}" || status=$?

count() { grep -c "^{.*\"Action\":\"$1\".*\"Test\":" "$results" || true; }
# What tests counted and measured: gotestsum hides the words of a test that passed.
python3 scripts/testwords.py "$results"
# The suites' own words, with the reason: in a list of skipped tests they are easily overlooked.
sed -n 's/.*"Output":".*\(\(CONTAINER SUITE NOT RUN\|NOT TESTED\)[^"\\]*\).*/\1/p' "$results" | sort -u | while read -r line; do loud "$line"; done
echo "$(count pass) passed, $(count fail) failed, $(count skip) skipped"
exit $status
