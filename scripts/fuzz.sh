#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 10s), one after the
# other, and stops at the first that fails. Inputs that failed stay in testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-10s}
count=0
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	echo "fuzz: $package $target for $time"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" | tail -n 2
	count=$((count + 1))
done < <(git grep -o -E '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/func //')
echo "fuzz: $count targets, no failure"
