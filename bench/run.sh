#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - what "make bench" runs: every server under every load, in rounds, so
# that what disturbs the machine disturbs all of them; ratios are taken within
# a round. The server has one processor to itself and the load another.
#
#	ROUNDS=5 DURATION=1         how often, and seconds each
#	SERVERS="epoll weft"        only these
#	LOADS="echo-64 lines"       only these
#	OUT=bench/results           results.csv, results.txt, results.svg
#
# One more server, or load, is one more line.
: "${srcdir:=.}" "${builddir:=.}" "${ROUNDS:=5}" "${DURATION:=1}" "${OUT:=$builddir/bench/results}"
bench=$builddir/bench

# name, what it can do, command
servers="
epoll    echo,lines,sink $bench/server_epoll
weft     echo,lines,sink $bench/server_weft
libuv    echo            $bench/server_uv
libev    echo            $bench/server_ev
libevent echo            $bench/server_event
st       echo            $bench/server_st
node     echo            node $srcdir/bench/server.js
"
# name, server's mode, arguments of the load
loads="
echo-1       echo  -m echo -c 1
echo-64      echo  -m echo -c 64
echo-1000    echo  -m echo -c 1000
echo-10000   echo  -m echo -c 10000 -w 1
echo-16k     echo  -m echo -c 64 -s 16384
rate-20000   echo  -m echo -c 64 -r 20000
lines-16     lines -m lines -c 64 -p 16
connect      echo  -m connect -c 64
bulk         sink  -m sink -c 4 -s 65536
idle-10000   lines -m idle -c 10000 -w 0.1
"

# with_cpu NUMBER COMMAND... - there, if it can be said.
if command -v taskset >/dev/null && test "$(getconf _NPROCESSORS_ONLN)" -gt 1; then
	with_cpu() { cpu=$1; shift; exec taskset -c "$cpu" "$@"; }
else
	with_cpu() { shift; exec "$@"; }
fi
chosen() { case " $1 " in "  " | *" $2 "*) return 0 ;; esac; return 1; }
progress() { test ! -t 2 || printf '\r\033[K%s' "$*" >&2; }

# measure MODE LOAD-ARGUMENTS -- SERVER... - prints the load's line.
measure() {
	mode=$1 arguments=$2
	shift 3
	port=$(mktemp -u) && mkfifo "$port" || return
	(with_cpu 0 "$@" "$mode") >"$port" 2>/dev/null &
	pid=$!
	read -r number <"$port"
	(ulimit -n "$(ulimit -Hn)"; with_cpu 1 "$bench/load" $arguments -d "$DURATION" -P $pid "$number")
	kill $pid 2>/dev/null
	wait $pid 2>/dev/null
	rm -f "$port"
}

echo "$servers" | while read -r name can command; do
	test -n "$name" && chosen "$SERVERS" "$name" || continue
	command -v ${command%% *} >/dev/null || { echo "bench: no $name here" >&2; continue; }
	echo "$name $can $command"
done >"$OUT.servers"
echo "$loads" | while read -r name rest; do
	test -n "$name" && chosen "$LOADS" "$name" && echo "$name $rest"
done >"$OUT.loads"

total=$((ROUNDS * $(wc -l <"$OUT.loads") * $(wc -l <"$OUT.servers"))) done=0
echo "round,load,server,rate,megabytes,cpu,p50,p99,errors,memory" >"$OUT.csv"
for round in $(seq "$ROUNDS"); do
	while read -r load mode arguments <&3; do
		while read -r server can command <&4; do
			done=$((done + 1))
			case ",$can," in *,$mode,*) ;; *) continue ;; esac
			progress "bench: $done of $total: round $round, $load, $server"
			line=$(measure "$mode" "$arguments" -- $command)
			test -n "$line" || { echo "bench: $server failed at $load" >&2; continue; }
			field() { echo "$line" | tr ' ' '\n' | sed -n "s/^$1=//p"; }
			echo "$round,$load,$server,$(field rate),$(field megabytes),$(field cpu),$(field p50),$(field p99),$(field errors),$(field memory)"
		done 4<"$OUT.servers"
	done 3<"$OUT.loads"
done >>"$OUT.csv"
progress ""

awk -f "$srcdir/bench/table.awk" "$OUT.loads" "$OUT.csv" | tee "$OUT.txt"
awk -f "$srcdir/bench/chart.awk" "$OUT.loads" "$OUT.csv" >"$OUT.svg"
rm -f "$OUT.servers" "$OUT.loads"
