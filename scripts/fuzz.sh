#!/usr/bin/env bash
# Fuzzes every target in turn: scripts/fuzz.sh [TIME, default 1m] [PACKAGE, default all]. Ends with an error when one fails; Go keeps the input that did it in testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-1m}
package=${2:-.}
status=0
while IFS=: read -r file line; do
  name=$(sed 's/func \(Fuzz[A-Za-z]*\).*/\1/' <<<"$line")
  dir=./$(dirname "${file#./}")
  if out=$(go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$dir" 2>&1); then
    printf '%-28s %-32s %s\n' "$dir" "$name" "$(grep -o 'execs: [0-9]* ' <<<"$out" | tail -n 1) in $time: nothing found"
  else
    printf '%-28s %-32s FAILED\n%s\n' "$dir" "$name" "$out"
    status=1
  fi
done < <(grep -r --include='*_test.go' '^func Fuzz' "$package" | sort)
exit $status
