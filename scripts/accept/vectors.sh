#!/usr/bin/env bash
# The test vectors whose values come from public standards and other
# implementations, run by the shipped program: none may fail, none be skipped.
. "$(dirname "$0")/lib.sh"

TOPICS=(dukpt_tdes dukpt_aes pinblock mac key_check_value emv_tlv emv_dol emv_format
	emv_key_derivation emv_cryptogram emv_iad emv_atr iso7816 reader_ccid)

programs
for topic in "${TOPICS[@]}"; do
	file=testvectors/$topic.json
	[ -s "$file" ] || die "$file is missing"
	bin/simulator vectors "$file" >"$WORK/out" 2>&1 || { tail -20 "$WORK/out" >&2; die "$topic"; }
	last=$(tail -1 "$WORK/out")
	[[ $last =~ ^([0-9]+)\ passed,\ 0\ failed,\ 0\ skipped$ && ${BASH_REMATCH[1]} -gt 0 ]] || die "$topic: $last"
	say "ok $topic: $last"
done
say "ok"
