#!/usr/bin/env bash
# Acceptance: the programs in bin/ against clients, engines and implementations
# that are not ours. Debian packages that are missing are installed, which needs
# root, and named. Parts run one after the other, as they share two cores and
# pcscd's socket; all are run, and one that fails fails the whole.
#
#   scripts/accept.sh              every part
#   scripts/accept.sh vectors …    only these
set -uo pipefail
cd "$(dirname "$0")/.."

PARTS=(vectors evidence pcscd postgres breaks sweep)
[ $# -eq 0 ] || PARTS=("$@")

# The first part that installs something fetches the list of packages for all.
ACCEPT_APT_STAMP=$(mktemp)
export ACCEPT_APT_STAMP
part_pid=
finish() {
	[ -z "$part_pid" ] || kill "$part_pid" 2>/dev/null
	rm -f "$ACCEPT_APT_STAMP"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

failed=()
summary=()
for part in "${PARTS[@]}"; do
	script=scripts/accept/$part.sh
	if [ ! -x "$script" ]; then
		echo "accept: there is no part $part; there are: $(basename -s .sh -a scripts/accept/*.sh | grep -vx lib | tr '\n' ' ')" >&2
		exit 2
	fi
	echo "accept: running $script"
	began=$SECONDS
	"$script" &
	part_pid=$!
	if wait "$part_pid"; then
		summary+=("ok      $part  $((SECONDS - began)) s")
	else
		failed+=("$part")
		summary+=("FAILED  $part  $((SECONDS - began)) s")
	fi
	part_pid=
done
printf 'accept: %s\n' "${summary[@]}"
if [ ${#failed[@]} -gt 0 ]; then
	echo "accept: FAILED after $SECONDS s: ${failed[*]}" >&2
	exit 1
fi
echo "accept: all ${#PARTS[@]} parts passed in $SECONDS s"
