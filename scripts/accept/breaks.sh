#!/usr/bin/env bash
# The payment of `simulator demo`, whole with both DUKPT schemes, then with each
# break: the program turns one verdict, proves that nothing else turns, and ends
# with an error when that does not hold.
. "$(dirname "$0")/lib.sh"

# What the outside sees of each break: keys of the JSON object and their values.
declare -A WANT=(
	[pin]='rc=55 end=declined pin_verified=false arqc_verified=true'
	[issuer-key]='rc=82 end=declined pin_verified=true arqc_verified=false'
	[arpc]='rc=00 end=reversed arpc_verified=false cryptogram_final=AAC reversal_acknowledged=true'
	[mac]='rc=63 approved=false'
	[ksn-replay]='rc=63 approved=false'
	[certificate]='rc= approved=false'
	[ledger]='rc=00 approved=true ledger_sum=1 tallies_match=false'
	[reversal]='approved=false reversal_acknowledged=false tallies_match=false'
)
WHOLE='rc=00 end=approved approved=true pin_verified=true arqc_verified=true arpc_verified=true cryptogram_final=TC reversal_acknowledged=true ledger_sum=0 tallies_match=true'

# demo NAME WANT ARGUMENT... runs a demonstration and compares its JSON object.
demo() {
	local name=$1 want=$2
	shift 2
	bin/simulator demo --json "$@" >"$WORK/out.json" 2>"$WORK/err" || { cat "$WORK/out.json" "$WORK/err" >&2; die "$name"; }
	compare "$WORK/out.json" "$want" || die "$name: not as expected"
	say "ok $name: $want"
}

# compare FILE "KEY=VALUE..." writes every key with another value to standard error.
compare() {
	python3 - "$@" <<-'END'
		import json, sys
		got = json.load(open(sys.argv[1]))
		bad = 0
		for pair in sys.argv[2].split():
		    key, want = pair.split("=")
		    value = got[key]
		    text = value if isinstance(value, str) else json.dumps(value)
		    if text != want:
		        print("%s is %s, want %s" % (key, text, want), file=sys.stderr)
		        bad = 1
		sys.exit(bad)
	END
}

programs
need python3
names=$(bin/simulator demo --help | sed -n 's/.*what to break: //p' | tr -d ',')
[ -n "$names" ] || die "the help of demo lists no breaks"
for scheme in aes tdes; do
	demo "$scheme" "$WHOLE" --dukpt "$scheme"
done
for b in $names; do
	[ -n "${WANT[$b]:-}" ] || die "the break $b is new: say here what it shows"
	demo "aes --break $b" "${WANT[$b]}" --dukpt aes --break "$b"
done
demo "tdes --break mac" "${WANT[mac]}" --dukpt tdes --break mac
say "ok"
