#!/usr/bin/env bash
# Measures the codec beside moov-io/iso8583 in one run and prints medians and
# ratios of processor time, which a busy machine disturbs less than the clock.
#
#   COUNT      runs of each benchmark      7
#   BENCHTIME  time of each                0.3s
#
#   scripts/bench-codec.sh            measure
#   scripts/bench-codec.sh FILE       only read the output of go test -bench -count N
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-}
if [ -z "$out" ]; then
	out=$(mktemp)
	trap 'rm -f "$out"' EXIT
	CGO_ENABLED=0 go test -run '^$' -bench '^BenchmarkCodec$' -benchmem -count "${COUNT:-7}" -benchtime "${BENCHTIME:-0.3s}" -timeout 60m ./iso8583 >"$out" || {
		cat "$out" >&2
		exit 1
	}
fi
awk '
function median(key,    n, i, j, v, t) {
	n = count[key]
	for (i = 1; i <= n; i++) v[i] = value[key, i]
	for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
/^BenchmarkCodec\// {
	name = $1
	sub(/^BenchmarkCodec\//, "", name)
	sub(/-[0-9]+$/, "", name)
	if (!(name in seen)) { seen[name] = 1; order[++names] = name }
	for (i = 3; i < NF; i += 2) {
		key = name SUBSEP $(i + 1)
		value[key, ++count[key]] = $i
	}
}
END {
	if (names == 0) { print "bench: no results" > "/dev/stderr"; exit 1 }
	printf "%-18s %14s %14s %10s %8s   %s\n", "codec/what", "CPU ns/op", "clock ns/op", "B/op", "allocs", "times ours (CPU)"
	for (k = 1; k <= names; k++) {
		name = order[k]
		split(name, part, "/")
		cpu = median(name SUBSEP "cpu-ns/op")
		ours = median("ours/" part[2] SUBSEP "cpu-ns/op")
		printf "%-18s %14.0f %14.0f %10.0f %8.0f   %.1f\n", name, cpu, median(name SUBSEP "ns/op"), median(name SUBSEP "B/op"), median(name SUBSEP "allocs/op"), cpu / ours
	}
}' "$out"
