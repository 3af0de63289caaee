#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The benchmarks build, run, and what is echoed is right. How fast, they tell
# only when they are run by hand.
: "${srcdir:=.}" "${top_builddir:=.}" "${MAKE:=make}"
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
status=0
fail() { echo "FAIL: $*"; status=1; }

(cd "$top_builddir" && $MAKE -f GNUmakefile bench-programs) >"$temporary/log" 2>&1 ||
	{ cat "$temporary/log"; fail "they do not build"; exit 1; }

loads="echo-1 echo-64 echo-16k rate-20000 lines-16 connect bulk"
if test -x "$top_builddir/bench/load"; then
	builddir=$top_builddir OUT=$temporary/results ROUNDS=1 DURATION=0.1 \
		SERVERS="epoll weft" LOADS=$loads sh "$srcdir/bench/run.sh" || fail "run.sh"
	for load in $loads; do
		awk -F, -v load="$load" '$2 == load && $4 > 0 && $9 == 0 { good[$3] = 1 }
			END { exit !(good["epoll"] && good["weft"]) }' "$temporary/results.csv" ||
			fail "$load"
	done
	grep -q '</svg>' "$temporary/results.svg" || fail "no chart"
	# A server that answers wrong is found out.
	"$top_builddir/bench/server_epoll" sink >"$temporary/port" &
	wrong=$!
	until test -s "$temporary/port"; do sleep 0.1; done
	timeout 20 "$top_builddir/bench/load" -m echo -c 1 -d 0.2 "$(cat "$temporary/port")" \
		>"$temporary/wrong"
	grep -q 'messages=0 ' "$temporary/wrong" || fail "a sink passes for an echo"
	kill $wrong
fi
for program in buffer switch sync timer; do
	"$top_builddir/bench/$program" 1 >"$temporary/log" || fail "$program"
	test -s "$temporary/log" || fail "$program says nothing"
done
exit $status
