#!/usr/bin/env bash
# Runs the tests and ends with "N passed, N failed, N skipped". Arguments go to `go test`; without a package, all are tested.
#
#   GEOSHARD_SOAK=1     the full counts of operations
#   GEOSHARD_TIMES=3    everything so often, with the rate at which each test failed
#   GEOSHARD_TEST_SECOND=FILE    a mongod of another version: the packages of zones run on it, with clusters of their own
#   GEOSHARD_TEST_SWAP=1         all other packages run on it instead
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
  for group in $(jobs -p); do kill -INT -- "-$group" 2>/dev/null || true; done
  wait
  [ -z "$cluster" ] || GEOSHARD_STATE_DIR=$cluster bin/geoshard cluster down --name shared || status=1
  rm -rf "$scratch"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
[ -z "${GEOSHARD_MONGOD:-}${GEOSHARD_TEST_URI:-}" ] || unset GEOSHARD_TEST_SECOND # whoever names a server means it for all
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
# vet is a step of its own, in scripts/lint.sh.
flags=(-count=1 -vet=off -timeout "${GEOSHARD_TEST_TIMEOUT:-20m}" "${arguments[@]}")

if ! go run "$gotestsum" --version >/dev/null; then
  loud "gotestsum cannot be fetched: no counts at the end, and skipped tests are not listed"
  exec go test "${race[@]}" "${flags[@]}" -p 1 "${packages[@]:-./...}"
fi
say quarantine

mapfile -t all < <(go list "${packages[@]:-./...}" | sed 's|^github.com/geoshard/geoshard/|./|; s|^github.com/geoshard/geoshard$|.|')

# A job is one of these packages, the longest first so that the end does not wait for it, or all others: those of zones, which are ZONES, and SHORT.
long=(./internal/devmongos ./e2e/clients ./cluster/local ./e2e/scenarios ./e2e/dashboard SHORT ./e2e/docs ./consistency ./e2e/demo ./e2e/zones ./e2e/routing
  ./internal/cli ./zones/catalog ZONES ./zones/verify ./cart/api ./cluster/container ./e2e/api ./e2e/release)
others=$(printf '%s\n' "${all[@]}" | grep -vxF "$(printf '%s\n' "${long[@]}")") || true
short=$(grep -v '^./zones' <<<"$others") || true
zones=$(grep '^./zones' <<<"$others") || true
jobs=()
for p in "${long[@]}"; do
  if [ "$p" = SHORT ] && [ -n "$short" ]; then
    jobs+=("${short//$'\n'/ }")
  elif [ "$p" = ZONES ] && [ -n "$zones" ]; then
    jobs+=("${zones//$'\n'/ }")
  elif printf '%s\n' "${all[@]}" | grep -qxF "$p"; then
    jobs+=("$p")
  fi
done

# A server whose disk is full ends with SIGABRT, which looks like anything but that.
room=$(df -Pk "${TMPDIR:-/tmp}" | awk 'NR == 2 {print int($4 / 1048576)}')
[ "$room" -ge 15 ] || loud "ONLY $room GB ARE FREE in ${TMPDIR:-/tmp}: a cluster of twenty members takes about 5, and three run at a time"

mongod() { # mongod PACKAGE: the one that it runs on; nothing: the one that is found
  case ${GEOSHARD_TEST_SWAP:-0}$1 in
    0./zones* | 1. | 1./[!z]*) echo "${GEOSHARD_TEST_SECOND:-${GEOSHARD_MONGOD:-}}" ;;
    *) echo "${GEOSHARD_MONGOD:-}" ;;
  esac
}

# One small cluster for all packages that break nothing. A run of one package lets it start its own.
if [ "${#all[@]}" -gt 1 ] && [ -z "${GEOSHARD_TEST_URI:-}" ]; then
  make --no-print-directory build
  cluster=$scratch/cluster
  mkdir "$cluster"
  GEOSHARD_MONGOD=$(mongod .) GEOSHARD_STATE_DIR=$cluster bin/geoshard cluster up --detach --name shared -f cluster/clustertest/small.yaml --wan-scale -1
  export GEOSHARD_TEST_CLUSTER=$cluster/shared
fi

status=0
run() { # run FLAGS... -- PACKAGES...: adds to the results
  local part own=()
  while [ "$1" != -- ]; do own+=("$1"); shift; done
  shift
  part=$(mktemp -p "$scratch" part.XXXXXX)
  go run "$gotestsum" --format pkgname --hide-summary skipped --jsonfile "$part" --packages "$*" -- "${own[@]}" "${flags[@]}" -p 1
}

# What only starts programs races nothing of ours: the suites of e2e are built without the race detector.
job() { # job PACKAGE...
  local on
  on=$(mongod "$1")
  [ "$on" = "$(mongod .)" ] || unset GEOSHARD_TEST_CLUSTER # which is of the other version
  [ -z "$on" ] || export GEOSHARD_MONGOD=$on
  case $1 in ./e2e/*) run -- "$@" ;; *) run "${race[@]}" -- "$@" ;; esac
}

# Two jobs at a time, whatever the machine has: with more, elections and starts are late on two cores, and so are latencies; also when the third one gives way.
once() {
  local j
  rm -f "$scratch/failed"
  set -m # each job is a process group, which Ctrl-C reaches through finish
  for j in "${jobs[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
    # shellcheck disable=SC2086 # packages, divided by spaces
    { job $j || { loud "exit status $? of the job $j"; touch "$scratch/failed"; }; } </dev/null &
  done
  wait
  set +m
  cat "$scratch"/part.* >>"$results"
  rm -f "$scratch"/part.*
  [ ! -e "$scratch/failed" ]
}

for ((n = 1; n <= ${GEOSHARD_TIMES:-1}; n++)); do
  once || status=1
done

# Whether a test passes is asked again of those in quarantine alone, and only when nothing else failed.
if [ "$status" != 0 ] && [ "${GEOSHARD_TIMES:-1}" = 1 ] && say repeatable "$results" >"$scratch/again" && [ -s "$scratch/again" ]; then
  status=0 # a job that failed without a test that did stays red
  while read -r package test; do
    passed=
    for try in 2 3; do
      loud "FAILED, BUT IS IN QUARANTINE: $package $test; try $try of 3"
      if GEOSHARD_MONGOD=$(mongod "./$package") run -run "^$test\$" -- "./$package"; then passed=1; fi
      cat "$scratch"/part.* >>"$results"
      rm -f "$scratch"/part.*
      [ -z "$passed" ] || break
    done
    [ -n "$passed" ] || status=1
  done <"$scratch/again"
fi

# A job that is killed says nothing, and what it did not run would look green.
say missing "$results" "${all[@]}" >"$scratch/missing" || status=1
while read -r line; do loud "$line"; done <"$scratch/missing"

# The race detector allocates; that decisions do not shows without it.
case " ${all[*]} " in
  *" ./router "*) go test -count=1 -run AllocateNothing ./router || status=1 ;;
esac

# What tests counted and measured: gotestsum hides the words of a test that passed.
say words "$results"
# The suites' own words, with the reason: in a list of skipped tests they are easily overlooked.
say loud "$results" | while read -r line; do [ -z "$line" ] || loud "$line"; done
say rates "$results"
# Once more, near the end: much was printed since.
say failures "$results"
[ -z "${GEOSHARD_TEST_RESULTS:-}" ] || cp "$results" "$GEOSHARD_TEST_RESULTS"
say counts "$results"
exit $status
