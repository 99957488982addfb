#!/usr/bin/env bash
# The crash sweeps, short: each program is killed at every durable write, sync,
# send and receive of a sale, its disk loses what was not synced at random events,
# and refuses operations. `make soak` does the same with more power cuts.
. "$(dirname "$0")/lib.sh"

SEED=${SEED:-1}
IMAGES=${IMAGES:-50}

# Target and what happens to it; SWEEPS in the environment names others.
read -r -a SWEEPS <<<"${SWEEPS:-agent/kill agent/power agent/error host/kill host/power host/error boundary/kill boundary/power boundary/error}"

sweep() {
	local target=${1%/*} what=${1#*/} log=$WORK/${1/\//-}.log images=$IMAGES
	# The power cuts of the host take its boundary along: those at the boundary's own
	# events, each of which waits for a checkpoint, can be fewer.
	[ "$1" != boundary/power ] || images=$(((IMAGES + 4) / 5))
	bin/simulator sweep --bin bin --target "$target" --what "$what" --seed "$SEED" --images "$images" >"$log" 2>&1 ||
		{ tail -40 "$log" >&2; die "$target $what, seed $SEED"; }
	say "ok $target $what: $(grep -E '[0-9]+ findings' "$log" | tail -1)"
}

programs
[ -c /dev/fuse ] || die "/dev/fuse is missing: the bad disk is a FUSE file system"
say "seed $SEED, $IMAGES power cuts for each program"
for s in "${SWEEPS[@]}"; do
	sweep "$s"
done
say "ok"
