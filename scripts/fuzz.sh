#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 10s), one after the
# other, and stops at the first that fails. Inputs that failed stay in testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Up to version 1.26 the go command may report its own end of the time as a
# failure, "context deadline exceeded", without any input that failed
# (go.dev/issue/75804). Everything else counts.
ran_out() {
	grep -q '^ *context deadline exceeded$' "$log" && ! grep -qE 'Failing input|panic:|hung or terminated|^ +[a-z0-9_]+_test\.go:' "$log"
}

count=0
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	echo "fuzz: $package $target for $time"
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" >"$log" 2>&1; then
		tail -n 2 "$log"
	elif ran_out; then
		echo "fuzz: the time ran out in the middle of an input; nothing failed"
		go test -run "^$target\$" "$package"
	else
		cat "$log" >&2
		exit 1
	fi
	count=$((count + 1))
done < <(git grep -o -E '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/func //')
echo "fuzz: $count targets, no failure"
