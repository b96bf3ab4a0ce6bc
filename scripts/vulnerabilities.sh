#!/usr/bin/env bash
# Looks the dependencies up in the vulnerability database, where it can be reached.
set -euo pipefail
cd "$(dirname "$0")/.."

# Installed, not `go run`, which would hide the exit status: 3 is "vulnerabilities found", any other failure means that it could not look.
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
status=0
GOBIN=$tools go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
timeout 180 "$tools/govulncheck" ./... >"$tools/found" 2>&1 || status=$?
case $status in
  0) echo "vulnerabilities: govulncheck found nothing" ;;
  3) cat "$tools/found" >&2; exit 1 ;;
  *) echo "vulnerabilities: govulncheck was NOT RUN, its database cannot be reached: $(tail -n 1 "$tools/found")" >&2 ;;
esac
