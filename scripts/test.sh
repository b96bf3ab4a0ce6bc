#!/usr/bin/env bash
# Runs the tests and ends with "N passed, N failed, N skipped". Arguments go to `go test`; without a package, all are tested.
#
#   GEOSHARD_SOAK=1     the full counts of operations
#   GEOSHARD_TIMES=3    everything so often, with the rate at which each test failed
#   GEOSHARD_TEST_RESULTS=FILE   keeps the results (go test -json)
#
# A failed test is red. Only those in scripts/quarantine.txt are tried again, twice and loudly.
set -euo pipefail
cd "$(dirname "$0")/.."

gotestsum=gotest.tools/gotestsum@v1.13.0
scratch=$(mktemp -d)
cluster=
finish() {
  status=$?
  trap - EXIT
  [ -z "$cluster" ] || GEOSHARD_STATE_DIR=$cluster bin/geoshard cluster down --name shared || status=1
  rm -rf "$scratch"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
results=$scratch/results.json
touch "$results"

loud() { printf '\n!!! %s\n\n' "$*" >&2; }
say() { python3 scripts/testresults.py "$@"; }

race=(-race)
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
  race=()
  export CGO_ENABLED=0
  loud "NO C COMPILER HERE: the tests run WITHOUT the race detector (on Debian: apt-get install gcc libc6-dev)"
fi

arguments=() packages=()
for a in "$@"; do
  case $a in . | ./* | github.com/*) packages+=("$a") ;; *) arguments+=("$a") ;; esac
done
flags=(-count=1 -timeout "${GEOSHARD_TEST_TIMEOUT:-20m}" "${arguments[@]}")

if ! go run "$gotestsum" --version >/dev/null; then
  loud "gotestsum cannot be fetched: no counts at the end, and skipped tests are not listed"
  exec go test "${race[@]}" "${flags[@]}" -p 1 "${packages[@]:-./...}"
fi
say quarantine

# Those that take the longest come first, so that the end does not wait for one of them.
long='zones/catalog|cluster/container|e2e/scenarios|internal/devmongos|cluster/local|e2e/clients|e2e/demo|consistency|e2e/docs|e2e/dashboard|e2e/routing|e2e/zones|cart/api|zones'
mapfile -t all < <(go list "${packages[@]:-./...}" | sed 's|^github.com/geoshard/geoshard/||; s|^github.com/geoshard/geoshard$|.|' |
  awk -v long="$long" 'BEGIN {n = split(long, order, "|"); for (i = 1; i <= n; i++) rank[order[i]] = i}
    {print ($0 in rank ? rank[$0] : n + 1), ($0 == "." ? "." : "./" $0)}' | sort -s -n -k1,1 | cut -d' ' -f2)

# What only starts programs races nothing of ours: the suites of e2e are built without the race detector. Both kinds run at
# the same time, one package of each: on two cores, two of each kind made elections and starts late.
plain=() raced=()
for p in "${all[@]}"; do
  case $p in ./e2e/*) plain+=("$p") ;; *) raced+=("$p") ;; esac
done

# One small cluster for all packages that break nothing. A run of one package lets it start its own.
if [ "${#all[@]}" -gt 1 ] && [ -z "${GEOSHARD_TEST_URI:-}" ]; then
  make --no-print-directory build
  cluster=$scratch/cluster
  mkdir "$cluster"
  GEOSHARD_STATE_DIR=$cluster bin/geoshard cluster up --detach --name shared -f cluster/clustertest/small.yaml --wan-scale -1
  export GEOSHARD_TEST_CLUSTER=$cluster/shared
fi

status=0
run() { # run PARALLEL FLAGS... -- PACKAGES...: adds to the results
  local parallel=$1 part own=()
  shift
  while [ "$1" != -- ]; do own+=("$1"); shift; done
  shift
  [ "$#" -gt 0 ] || return 0
  part=$(mktemp -p "$scratch" part.XXXXXX)
  go run "$gotestsum" --format pkgname --jsonfile "$part" --packages "$*" -- "${own[@]}" "${flags[@]}" -p "$parallel"
}

once() {
  local racing= ok=0
  run 1 "${race[@]}" -- "${raced[@]}" & racing=$!
  run 1 -- "${plain[@]}" || ok=$?
  wait "$racing" || ok=$?
  cat "$scratch"/part.* >>"$results"
  rm -f "$scratch"/part.*
  return $ok
}

for ((n = 1; n <= ${GEOSHARD_TIMES:-1}; n++)); do
  once || status=$?
done

# Whether a test passes is asked again of those in quarantine alone, and only when nothing else failed.
if [ "$status" != 0 ] && [ "${GEOSHARD_TIMES:-1}" = 1 ] && say repeatable "$results" >"$scratch/again"; then
  status=0
  while read -r package test; do
    passed=
    for try in 2 3; do
      loud "FAILED, BUT IS IN QUARANTINE: $package $test; try $try of 3"
      if run 1 -run "^$test\$" -- "./$package"; then passed=1; fi
      cat "$scratch"/part.* >>"$results"
      rm -f "$scratch"/part.*
      [ -z "$passed" ] || break
    done
    [ -n "$passed" ] || status=1
  done <"$scratch/again"
fi

# The race detector allocates; that decisions do not shows without it.
case " ${all[*]} " in
  *" ./router "*) go test -count=1 -run AllocateNothing ./router || status=1 ;;
esac

# What tests counted and measured: gotestsum hides the words of a test that passed.
say words "$results"
# The suites' own words, with the reason: in a list of skipped tests they are easily overlooked.
say loud "$results" | while read -r line; do [ -z "$line" ] || loud "$line"; done
say rates "$results"
[ -z "${GEOSHARD_TEST_RESULTS:-}" ] || cp "$results" "$GEOSHARD_TEST_RESULTS"
say counts "$results"
exit $status
