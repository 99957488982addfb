#!/usr/bin/env bash
# What is counted in hundreds or hours: fuzzing, raced messages and crash sweeps,
# with far more rounds than in the other tiers. Every part is run, and one that
# fails fails the whole. The counts come from the environment:
#
#   FUZZTIME     time for each fuzz target              10m
#   SIMULATIONS  simulations of both programs, by seed  2000
#   RACES        raced sales                            10000
#   CROWDS       crowds of terminals with one card      20
#   IMAGES       power cuts for each program            1000
#   SEED         seed of simulations and sweeps         the date; it is printed
#
#   scripts/soak.sh               every part
#   scripts/soak.sh races fuzz    only these
set -uo pipefail
cd "$(dirname "$0")/.."

export FUZZTIME=${FUZZTIME:-10m} IMAGES=${IMAGES:-1000} SEED=${SEED:-$(date +%Y%m%d)}
RACES=${RACES:-10000}
CROWDS=${CROWDS:-20}
SIMULATIONS=${SIMULATIONS:-2000}

fuzz() { scripts/fuzz.sh; }

# races lets originals, repeats and reversals of the same sales meet in the host,
# and then one card at many terminals at once.
races() {
	CGO_ENABLED=0 TALLYSTICK_RACE_ROUNDS=$RACES go test -count=1 -timeout 0 -run '^TestRaces$' ./simulator/e2e &&
		CGO_ENABLED=0 go test -count="$CROWDS" -timeout 0 -run '^TestCrowd$' ./simulator/e2e
}

# simulate runs agents, host and issuer from many seeds in virtual time.
simulate() {
	echo "soak: simulations from seed $SEED on"
	CGO_ENABLED=0 go test -count=1 -timeout 0 -run '^TestSimulation$' ./simulator/e2e -args -sim.seed "$SEED" -sim.seeds "$SIMULATIONS"
}

sweep() { scripts/accept/sweep.sh; }

PARTS=(simulate races sweep fuzz)
[ $# -eq 0 ] || PARTS=("$@")

failed=()
for part in "${PARTS[@]}"; do
	case $part in
	simulate | races | sweep | fuzz) ;;
	*)
		echo "soak: there is no part $part; there are: simulate races sweep fuzz" >&2
		exit 2
		;;
	esac
	echo "soak: $part"
	began=$SECONDS
	"$part" || failed+=("$part")
	echo "soak: $part took $((SECONDS - began)) s"
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "soak: FAILED: ${failed[*]}" >&2
	exit 1
fi
echo "soak: all parts passed in $SECONDS s"
