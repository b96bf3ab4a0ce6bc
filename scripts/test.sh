#!/usr/bin/env bash
# Runs the tests and ends with "N passed, N failed, N skipped". Arguments go to `go test`; without a package, all are tested.
# GEOSHARD_SOAK=1 makes the counts of operations the full ones. GEOSHARD_RERUN=1 gives tests that fail up to two more tries, because real elections on a busy machine
# have their moods: not if more than twelve fail (a subtest counts with those around it), and each is named loudly.
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

# Each package may run a whole cluster. What measures round trips, lags and growth, and what kills under a steady load, runs alone; the rest two at a time, for it mostly waits for elections and
# balancers.
flags=("${race[@]}" -count=1 -timeout "${GEOSHARD_TEST_TIMEOUT:-30m}")
alone=(./cluster/... ./wan ./zones ./e2e/routing ./e2e/scenarios .)
go build "${race[@]}" ./...

if ! go run "$gotestsum" --version >/dev/null; then
  loud "gotestsum cannot be fetched: no counts at the end, and skipped tests are not listed"
  case " $* " in *" ./"*) ;; *) set -- "$@" ./... ;; esac
  exec go test "${flags[@]}" -p 1 "$@"
fi

status=0
rerun=()
[ "${GEOSHARD_RERUN:-}" != 1 ] || rerun=(--rerun-fails=2 --rerun-fails-max-failures=12 --rerun-fails-run-root-test)
run() { # run PARALLEL ARGUMENT...
  local part arguments=() packages=() parallel=$1
  shift
  for a in "$@"; do
    case $a in . | ./* | github.com/*) packages+=("$a") ;; *) arguments+=("$a") ;; esac
  done
  part=$(mktemp)
  go run "$gotestsum" --format pkgname --jsonfile "$part" "${rerun[@]}" --packages "${packages[*]}" -- "${flags[@]}" -p "$parallel" "${arguments[@]}" || status=$?
  cat "$part" >>"$results"
  rm -f "$part"
}
case " $* " in
  *" ./... "* | "  ")
    arguments=()
    for a in "$@"; do [ "$a" = ./... ] || arguments+=("$a"); done
    run 1 "${arguments[@]}" "${alone[@]}"
    # The longest first.
    mapfile -t others < <(go list ./... | grep -vxF -f <(go list "${alone[@]}") | awk '/devmongos$/ {print "0 " $0; next} {print "1 " $0}' | sort -s -k1,1 | cut -d' ' -f2)
    run 2 "${arguments[@]}" "${others[@]}"
    ;;
  *) run 1 "$@" ;;
esac

# The race detector allocates; that decisions do not shows without it.
case " $* " in
  *" ./... "* | "  " | *" ./router "*) go test -count=1 -run AllocateNothing ./router || status=$? ;;
esac

# What tests counted and measured: gotestsum hides the words of a test that passed.
python3 scripts/testwords.py words "$results"
# The suites' own words, with the reason: in a list of skipped tests they are easily overlooked.
sed -n 's/.*"Output":".*\(\(CONTAINER SUITE NOT RUN\|NOT TESTED\)[^"\\]*\).*/\1/p' "$results" | sort -u | while read -r line; do loud "$line"; done
python3 scripts/testwords.py repeated "$results" | while read -r line; do loud "$line"; done
python3 scripts/testwords.py counts "$results"
exit $status
