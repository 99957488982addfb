#!/usr/bin/env bash
# Runs all tests that need only Go: under the race detector where a C compiler is
# found, plainly elsewhere. CI insists on the race detector.
set -euo pipefail
cd "$(dirname "$0")/.."
if CGO_ENABLED=1 go env CC >/dev/null && command -v "$(CGO_ENABLED=1 go env CC | cut -d' ' -f1)" >/dev/null; then
	echo "test: a C compiler is here: with the race detector"
	CGO_ENABLED=1 go test -race -timeout 9m ./...
elif [ -n "${CI:-}" ]; then
	echo "test: CI needs a C compiler for the race detector" >&2
	exit 1
else
	echo "test: no C compiler is here: without the race detector"
	go test -timeout 9m ./...
fi
if [ "$(go env GOARCH)" = amd64 ]; then
	echo "test: the codec with an int of 32 bits"
	GOARCH=386 CGO_ENABLED=0 go test -timeout 5m ./iso8583 ./iso8583/codec
fi
echo "test: the agent builds for 32-bit ARM"
GOOS=linux GOARCH=arm GOARM=7 CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /dev/null ./agent
