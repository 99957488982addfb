#!/usr/bin/env bash
# The demonstration's raw messages, recomputed by an implementation that shares no
# code with the programs (evidence.py): keys, MACs, PIN, card data, cryptograms.
# Then the same on spoiled copies, each of which must be found out.
. "$(dirname "$0")/lib.sh"

programs
need python3 python3-cryptography
for scheme in aes tdes; do
	bin/simulator demo --json --dukpt "$scheme" --evidence "$WORK/$scheme" >"$WORK/$scheme.json" 2>"$WORK/$scheme.err" ||
		{ cat "$WORK/$scheme.err" >&2; die "the demonstration with $scheme"; }
	say "$scheme: recomputing"
	/usr/bin/python3 -B scripts/accept/evidence.py --self-test "$WORK/$scheme" || die "$scheme"
done
say "ok"
