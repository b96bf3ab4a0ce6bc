#!/usr/bin/env bash
# Starts the three-datacenter cluster, shows it and stops it. What was started is stopped, whatever happens.
set -euo pipefail

geoshard=${1:?usage: scripts/demo.sh GEOSHARD}
name=demo-$$

down() {
  status=$?
  trap - EXIT
  "$geoshard" cluster down --name "$name" || status=1
  exit $status
}
trap down EXIT
trap 'exit 130' INT TERM

"$geoshard" cluster up --preset nyc-lon-syd --name "$name" --detach
"$geoshard" cluster status --name "$name"
