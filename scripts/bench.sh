#!/usr/bin/env bash
# Benchmarks: the codec beside moov's, those of each package, then whole echo hosts
# beside their peers over TLS (bench/, a module of its own). Where the peers' modules
# cannot be had, the last part is left out and said so. Figures are of this machine;
# ratios matter.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bench-codec.sh
go test -run '^$' -bench . -skip '^BenchmarkCodec$' -benchmem ./...
if (cd bench && go mod download); then
	(cd bench && go run . "$@")
else
	echo "bench: the modules of the peers cannot be had; echo hosts are left out"
fi
