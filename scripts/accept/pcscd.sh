#!/usr/bin/env bash
# The simulated reader and card against pcscd, the smart card service of Linux,
# and its driver for the GemPC Twin: the driver that drives the real reader. A
# payment's APDUs, certificates and signatures of the card among them, go through
# scriptor, with T=0 and with T=1, and each answer is compared. The service has one socket for the machine, so one must not run yet.
. "$(dirname "$0")/lib.sh"

# Lines of a script: APDU, then the answer as a regular expression. With T=0 the
# outside client sees the 61 and 6C of ISO 7816-3 and must fetch the data itself.
AC_DATA=0000000012340000000000000840808004800008402611250094FA741921

script_t0() {
	cat <<-END
		00A404000E315041592E5359532E4444463031 611C
		00C000001C 6F1A840E315041592E5359532E4444463031A5.*9000
		00B2010C00 6C2F
		00B2010C2F 702D612B4F07A0000000031010.*9000
		00B2020C00 6A83
		00A4040007A0000000031011 6A82
		00A4040007A0000000031010 6138
		00C0000038 6F368407A0000000031010A5.*9000
		80A80000028300 6110
		00C0000010 800E3D00080101001001030318010300.*9000
		00B2010C00 6C28
		00B2010C28 70265713.*9000
		00B2011400 6C34
		00B2011434 70325A08.*9000
		00B2021438 70368C18.*9000
		00B2031433 70319F0E05.*9000
		00B2011C22 70208F01F9.*9000
		00B2021CFE 7081FB9081F8[0-9A-F]{496}9000
		00B2031CB7 7081B49F4681B0[0-9A-F]{352}9000
		0088000004DEADBEEF 6193
		00C0000093 808190[0-9A-F]{288}9000
		80AE90001E$AC_DATA 61AA
		00C00000AA 7781A79F2701809F36020001.*9F4B8190[0-9A-F]{288}9000
	END
}

# One command and one record are longer than the 254 bytes of a block, so driver
# and card must chain.
script_t1() {
	local long
	printf -v long '%0510d' 0
	cat <<-END
		00A404000E315041592E5359532E444446303100 6F1A840E315041592E5359532E4444463031A5.*9000
		00B2010C00 702D612B4F07A0000000031010.*9000
		00B2020C00 6A83
		00A4040007A000000003101100 6A82
		00A4040007A000000003101000 6F368407A0000000031010A5.*9000
		80A8000002830000 800E3D00080101001001030318010300.*9000
		00B2010C00 70265713.*9000
		00B2011400 70325A08.*9000
		00B2021400 70368C18.*9000
		00B2031400 70319F0E05.*9000
		00B2011C00 70208F01F9.*9000
		00B2021C00 7081FB9081F8[0-9A-F]{496}9000
		00B2031C00 7081B49F4681B0[0-9A-F]{352}9000
		0088000004DEADBEEF00 808190[0-9A-F]{288}9000
		00A40400FF${long}00 6700
		00A4040007A000000003101000 6F368407A0000000031010A5.*9000
		80A8000002830000 800E3D00080101001001030318010300.*9000
		80AE80001E${AC_DATA}00 801280[0-9A-F]{34}9000
	END
}

# answers prints one line for each answer of scriptor, without spaces. An answer
# runs over several lines, up to the meaning of its status word.
answers() {
	awk '
		/^< / { open = 1; bytes = ""; sub(/^< /, "") }
		open { last = sub(/ : .*/, ""); gsub(/ /, ""); bytes = bytes $0 }
		last { print bytes; open = last = 0 }' "$1"
}

# exchange PROTOCOL FOLDER runs the script of a protocol and compares.
exchange() {
	local protocol=$1 dir=$2 n=0 bad=0 apdu want got
	"script_${protocol,,}" | tr -d '\t' >"$dir/script"
	cut -d' ' -f1 "$dir/script" >"$dir/apdus"
	timeout 60 scriptor -p "${protocol:0:1}=${protocol:1}" "$dir/apdus" >"$dir/scriptor.log" 2>&1 ||
		{ tail -5 "$dir/scriptor.log" >&2; die "$protocol: scriptor ended with an error"; }
	answers "$dir/scriptor.log" >"$dir/answers"
	while read -r apdu want && read -r got <&3; do
		n=$((n + 1))
		if [[ $got =~ ^$want$ ]]; then
			say "$protocol ok ${apdu:0:10} -> ${got: -4}"
		else
			echo "accept: $PART: $protocol $apdu: got $got, want $want" >&2
			bad=$((bad + 1))
		fi
	done <"$dir/script" 3<"$dir/answers"
	[ "$n" -eq "$(wc -l <"$dir/script")" ] || die "$protocol: $n answers, want $(wc -l <"$dir/script")"
	[ "$bad" -eq 0 ] || die "$protocol: $bad answers are not the expected ones"
}

reader_listed() { printf '00A4040000\n' | timeout 10 scriptor; }

run() {
	local protocol=$1 dir=$WORK/$1 reader pcscd
	mkdir "$dir"
	start "$dir/reader.log" bin/simulator reader ccid --link "$dir/tty" --card visa-chip \
		--protocol "${protocol,,}" --log "$dir/frames.jsonl"
	reader=$STARTED
	await 10 test -e "$dir/tty" || die "the simulated reader did not start: $(tail -1 "$dir/reader.log")"
	cat >"$dir/reader.conf" <<-END
		FRIENDLYNAME "Simulated GemPC Twin"
		DEVICENAME $dir/tty:GemPCTwin
		LIBPATH $DRIVER
	END
	start "$dir/pcscd.log" pcscd -f -c "$dir/reader.conf"
	pcscd=$STARTED
	await 30 reader_listed || die "pcscd does not see the reader: $(tail -3 "$dir/pcscd.log")"
	exchange "$protocol" "$dir"
	stop "$pcscd"
	stop "$reader"
	[ "$protocol" = T0 ] || chained "$dir/frames.jsonl"
}

# chained fails unless the driver sent a T=1 block with the more-data bit: node
# address 00, PCB 20 or 60, length FE.
chained() {
	grep -q '"from":"host".*"type":"6F".*"data":"00[26]0FE' "$1" || die "T1: the long command was not chained"
	say "T1 ok the long command came in chained blocks"
}

programs
need pcscd libccid pcsc-tools
[ "$(id -u)" -eq 0 ] || die "pcscd needs root: its socket is in /run/pcscd"
DRIVER=$(dpkg -L libccid | grep '/libccidtwin\.so$' | head -1)
[ -e "$DRIVER" ] || die "libccid has no libccidtwin.so"
! pidof pcscd >/dev/null || die "a pcscd runs already: stop it first"
say "pcscd $(dpkg-query -W -f '${Version}' pcscd), $DRIVER $(dpkg-query -W -f '${Version}' libccid)"
run T0
run T1
say "ok"
