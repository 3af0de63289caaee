#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The benchmarks build, run, and what is echoed is right, by every server that
# can be built here. How fast, they tell only when they are run by hand.
: "${srcdir:=.}" "${top_builddir:=.}" "${MAKE:=make}"
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
status=0
fail() { echo "FAIL: $*"; status=1; }

(cd "$top_builddir" && $MAKE -f GNUmakefile bench-programs) >"$temporary/log" 2>&1 ||
	{ cat "$temporary/log"; fail "they do not build"; exit 1; }

# bench NAME=VALUE... - `make bench`, with that said.
bench() {
	env builddir="$top_builddir" OUT="$temporary/results" ROUNDS=1 KEEP=yes "$@" \
		sh "$srcdir/bench/run.sh" >"$temporary/log" 2>&1 || { cat "$temporary/log"; fail "run.sh"; }
}
# good LOAD SERVER [COLUMN] - whether there is a figure, and no error.
good() {
	awk -F, -v load="$1" -v server="$2" -v name="${3:-rate}" '
		NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
		$2 == load && $3 == server && $column[name] > 0 && $column["errors"] + 0 == 0 { good = 1 }
		END { exit !good }' "$temporary/results.csv" || fail "$1, $2${3:+, $3}"
}
# finds BUG ARGUMENTS-OF-LOAD... - the load does not pass that.
finds() {
	bug=$1
	shift
	rm -f "$temporary/port"
	"$top_builddir/bench/server_wrong" "$bug" >"$temporary/port" &
	wrong=$!
	until test -s "$temporary/port" || ! kill -0 $wrong; do sleep 0.1; done
	timeout 20 "$top_builddir/bench/load" "$@" "$(cat "$temporary/port")" >"$temporary/log" 2>&1
	test $? = 1 && grep -q '^load: ' "$temporary/log" || fail "an echo passes that is wrong: $bug"
	kill $wrong
}

if test -x "$top_builddir/bench/load"; then
	loads="echo-1 echo-64 echo-16k rate-20000 lines-16 connect bulk"
	bench MESSAGES=640 SERVERS="epoll weft" LOADS="$loads"
	for load in $loads; do
		good "$load" epoll
		good "$load" weft
	done
	bench MESSAGES=640 LOADS="echo-64 lines-16 bulk"
	for server in $(sed '/^#/d; s/ .*//' "$srcdir/bench/servers.txt"); do
		grep -q "bench: no $server here" "$temporary/log" && continue
		good echo-64 $server
		good lines-16 $server
		good bulk $server
	done
	bench FEW=64 MANY=640 SERVERS="epoll weft" LOADS="count-64"
	! strace -o /dev/null true 2>/dev/null || good count-64 weft calls
	# Not with sanitizers. Without arguments a server says how it is used.
	valgrind -q "$top_builddir/bench/server_weft" >"$temporary/log" 2>&1
	test $? != 2 || good count-64 weft instructions
	grep -q '</svg>' "$temporary/results.svg" || fail "no chart"
	for bug in flip twice other drop mute; do
		finds $bug -m echo -c 8 -d 0.2 -t 1
	done
fi
OUT=$temporary/micro builddir=$top_builddir ROUNDS=1 MILLISECONDS=1 OTHERS=100 \
	sh "$srcdir/bench/micro.sh" >"$temporary/log" 2>&1 || fail "micro.sh"
for micro in $(sed '/^#/d; s/ .*//' "$srcdir/bench/micros.txt"); do
	grep -q "bench-micro: no $micro here" "$temporary/log" || grep -q "^1,$micro,yield-2," "$temporary/micro.csv" ||
		{ cat "$temporary/log"; fail "$micro"; }
done
# The section that the README has, or would have.
if test -s "$temporary/results.csv"; then
	cp "$srcdir/README" "$temporary/README" && chmod u+w "$temporary/README"
	for again in 1 2; do
		RESULTS=$temporary README=$temporary/README KEPT=$temporary \
			sh "$srcdir/bench/record.sh" readme >"$temporary/log" 2>&1 || { cat "$temporary/log"; fail "record.sh"; }
	done
	test "$(grep -c '^What was measured' "$temporary/README")" = 1 &&
		test "$(grep -c '^Where it runs' "$temporary/README")" = 1 &&
		grep -q '^    weft  *[0-9]' "$temporary/README" || fail "the README's section"
fi
for program in buffer switch sync timer; do
	"$top_builddir/bench/$program" 1 >"$temporary/log" || fail "$program"
	test -s "$temporary/log" || fail "$program says nothing"
done
exit $status
