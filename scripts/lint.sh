#!/usr/bin/env bash
# Format, vet, static analysis and tidy modules, each as a gate.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	echo "lint: not formatted (run gofmt -w):" >&2
	echo "$unformatted" >&2
	exit 1
fi
echo "lint: gofmt is satisfied"
go mod tidy -diff
(cd tools && go mod tidy -diff)
echo "lint: go.mod and go.sum are tidy"
go vet ./...
echo "lint: go vet is satisfied"
staticcheck=$(cd tools && go tool -n staticcheck)
"$staticcheck" ./...
echo "lint: staticcheck is satisfied"
