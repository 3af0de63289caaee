#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/syslog prints what the system's own logger(1) sends it.
: "${top_builddir:=.}"
command -v logger >/dev/null || { echo "SKIP: no logger"; exit 77; }
temporary=$(mktemp -d) || exit 1
mkfifo "$temporary/out" || exit 1
# A datagram that is lost is no line: then the end of this is the end of all.
timeout 60 "$top_builddir/examples/syslog" 127.0.0.1 0 >"$temporary/out" &
receiver=$!
trap 'kill $receiver; rm -rf "$temporary"' EXIT
exec <"$temporary/out"

IFS= read -r name && port=${name#127.0.0.1:} && test "$port" -gt 0 || exit 1
# BSD's logger has other words for it.
logger -d -n 127.0.0.1 -P "$port" --rfc3164 -p user.warning -t weft "first message" ||
	{ echo "SKIP: this logger cannot send to a port"; exit 77; }
logger -d -n 127.0.0.1 -P "$port" --rfc5424 -p mail.err -t weft "second message"

# expect PATTERN - the next line.
expect() {
	IFS= read -r line || { echo "FAIL: no line, not $1"; exit 1; }
	echo "$line"
	case $line in $1) ;; *) echo "FAIL: that is not $1"; exit 1 ;; esac
}
expect "1.warning *weft: first message*"
expect "2.error *weft - - *second message*"
exit 0
