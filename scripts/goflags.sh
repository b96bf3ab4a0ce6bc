#!/usr/bin/env bash
# Prints the GOFLAGS to build with. A checkout that git does not trust (it belongs to another user) cannot be stamped with its revision: the
# go command would fail there.
set -euo pipefail
cd "$(dirname "$0")/.."

flags=$(go env GOFLAGS)
if [[ $flags != *-buildvcs* ]] && ! git status >/dev/null 2>&1; then
  flags="$flags -buildvcs=false"
fi
# Without the checkout's path in what is compiled, another checkout finds it in the cache, and programs are the same wherever they are built.
case " $flags " in *" -trimpath "*) ;; *) flags="$flags -trimpath" ;; esac
echo "$flags"
