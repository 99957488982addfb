# What the parts of `make accept` share. Sourced, never run.
#
# Every part works alone: it needs bin/ built, makes a folder of its own, stops
# what it started by its pid when it ends, and exits with 0 only when all held.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PART=$(basename "$0" .sh)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/accept-$PART.XXXXXX")
PIDS=()

say() { echo "accept: $PART: $*"; }

die() {
	echo "accept: $PART: FAILED: $*" >&2
	exit 1
}

# cleanup stops what was started, the newest first, and keeps the folder of a
# part that failed, as the logs in it say why.
cleanup() {
	local status=$? i
	trap - EXIT
	for ((i = ${#PIDS[@]} - 1; i >= 0; i--)); do
		stop "${PIDS[i]}"
	done
	if [ "$status" -eq 0 ]; then
		[ -n "${KEEP:-}" ] || rm -rf "$WORK"
	else
		echo "accept: $PART: the logs are in $WORK" >&2
	fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start LOG COMMAND... runs a service in the background; its pid is in $STARTED.
start() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null &
	STARTED=$!
	PIDS+=("$STARTED")
}

# stop PID ends a process with SIGTERM and, after five seconds, with SIGKILL.
stop() {
	local tries
	kill "$1" 2>/dev/null || return 0
	for ((tries = 0; tries < 50; tries++)); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# await SECONDS COMMAND... repeats a command until it succeeds.
await() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# need PACKAGE... installs the Debian packages that are missing.
need() {
	local missing=() p
	for p in "$@"; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -qx 'install ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || die "missing: ${missing[*]}; install with: apt-get install --no-install-recommends ${missing[*]}"
	say "installing ${missing[*]}"
	if [ -z "${ACCEPT_APT_STAMP:-}" ] || [ ! -s "$ACCEPT_APT_STAMP" ]; then
		apt-get update -qq
		[ -z "${ACCEPT_APT_STAMP:-}" ] || date >"$ACCEPT_APT_STAMP"
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$WORK/apt.log" 2>&1 ||
		{ tail -5 "$WORK/apt.log" >&2; die "apt-get could not install ${missing[*]}"; }
}

# programs fails when bin/ has not been built.
programs() {
	local p
	for p in agent host simulator; do
		[ -x "bin/$p" ] || die "bin/$p is missing; run: make build"
	done
}
