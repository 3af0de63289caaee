#!/bin/sh
# SPDX-License-Identifier: MIT
#
# record.sh [readme] - what "make bench-record" runs: measures for some ten
# minutes, on a machine that should do nothing else, and writes what came of it
# into the README, bench/measured.txt and two charts. With "readme", only the
# latter, from the CSVs that are there.
: "${srcdir:=.}" "${builddir:=.}" "${ROUNDS:=10}" "${PEERS:=3}" "${DURATION:=0.5}"
: "${LOADS:=echo-1 echo-64 echo-1000 echo-10000 echo-16k lines-16 connect bulk idle-10000 count-1 count-64 count-lines count-connect}"
: "${RESULTS:=$builddir/bench}" "${README:=$srcdir/README}" "${KEPT:=$srcdir/bench}"
results=$RESULTS/results micro=$RESULTS/micro
export srcdir builddir LOADS DURATION

if test "$1" != readme; then
	ROUNDS=$ROUNDS PEERS=$PEERS OUT=$results sh "$srcdir/bench/run.sh" || exit
	ROUNDS=3 OUT=$micro sh "$srcdir/bench/micro.sh" || exit
fi
test -s "$results.csv" && test -s "$micro.csv" || { echo "bench-record: nothing has been measured" >&2; exit 1; }

rounds() { awk -F, -v server="$1" '$3 == server && $2 == "echo-64" { n++ } END { print n + 0 }' "$results.csv"; }
machine() {
	date -u -r "$results.csv" "+On %-d %B %Y:"
	sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sed 's/ [0-9]*-Core.*//;q'
	echo ", $(getconf _NPROCESSORS_ONLN) cores; Linux $(uname -r | sed 's/^\([0-9]*\.[0-9]*\).*/\1/'),"
	sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release
	echo ", $(${CC:-cc} --version | grep -q clang && echo clang || echo gcc)"
	echo "$(${CC:-cc} -dumpfullversion -dumpversion). One core had the server, the other the load."
	echo "Medians of $(rounds epoll) rounds, in which the servers took turns; the peers were in $(rounds libev)"
	echo "of them. \"make bench-record\" repeats it and writes this section."
}
of_servers() {
	awk -f "$srcdir/bench/stats.awk" -f "$srcdir/bench/$1.awk" \
		"$srcdir/bench/loads.txt" "$srcdir/bench/servers.txt" "$results.csv"
}
of_micros() { awk -v form="$1" -f "$srcdir/bench/micro.awk" "$srcdir/bench/micros.txt" "$micro.csv"; }
section() {
	echo "What was measured"
	echo "-----------------"
	echo
	machine | tr '\n' ' ' | sed 's/ ,/,/g; s/ *$//' | fold -s -w 78 | sed 's/ *$//'
	printf '\n\n'
	of_servers readme
	printf '\nOperations without a kernel, and what weft is to reach (bench/chart_micro.svg):\n\n'
	of_micros table | sed 's/^/    /'
	printf '\n\n'
}

# From the line that begins the section to the one that begins the next.
section >"$results.section"
awk -v section="$results.section" '
	function print_section(    line) { while ((getline line <section) > 0) print line; done = 1 }
	$0 == "What was measured" { print_section(); inside = 1; next }
	inside && $0 == "Where it runs" { inside = 0 }
	!inside && $0 == "Where it runs" && !done { print_section() }
	!inside { print }' "$README" >"$results.readme" &&
	cat "$results.readme" >"$README"
rm -f "$results.section" "$results.readme"
of_servers chart >"$KEPT/chart.svg"
of_micros chart >"$KEPT/chart_micro.svg"
{ of_servers table; echo; of_micros table; } >"$KEPT/measured.txt"
echo "bench-record: the README, measured.txt, chart.svg and chart_micro.svg in bench are written"
