#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - what "make bench" runs: every server of servers.txt under every load
# of loads.txt. Throughput and time are measured in rounds, so that what disturbs
# the machine disturbs all servers, and compared within a round; the server has
# one processor to itself and the load another. What does not depend on time is
# told once: memory, system calls, and instructions of user code, the last two as
# the difference of a longer and a shorter run, so that neither the start of the
# program nor the tools that count disturb.
#
#	ROUNDS=5 DURATION=1         how often, and seconds each
#	MESSAGES=1000               so many each, in place of seconds
#	PEERS=5                     rounds that others than epoll and weft are in
#	SERVERS="epoll weft"        only these
#	LOADS="echo-64 lines-16"    only these
#	KEEP=yes                    in results.csv other loads' rows stay
#	OUT=bench/results           results.csv, results.txt, results.svg
: "${srcdir:=.}" "${builddir:=.}" "${ROUNDS:=5}" "${DURATION:=1}" "${OUT:=$builddir/bench/results}"
: "${PEERS:=$ROUNDS}" "${FEW:=2048}" "${MANY:=8192}"
bench=$builddir/bench
ulimit -n "$(ulimit -Hn)" 2>/dev/null

# with_cpu NUMBER COMMAND... - there, if it can be said.
if command -v taskset >/dev/null && test "$(getconf _NPROCESSORS_ONLN)" -gt 1; then
	with_cpu() { cpu=$1; shift; exec taskset -c "$cpu" "$@"; }
else
	with_cpu() { shift; exec "$@"; }
fi
chosen() { case " $1 " in "  " | *" $2 "*) return 0 ;; esac; return 1; }
python_with() {
	for python in python3 /usr/bin/python3; do
		$python -c "import $1" 2>/dev/null && { echo "$python"; return; }
	done
	echo "no-python-with-$1"
}

# The servers and loads that are wanted, a line each.
servers() {
	sed '/^#/d' "$srcdir/bench/servers.txt" | while read -r name can most command; do
		chosen "$SERVERS" "$name" || continue
		eval "command=\"$command\""
		command -v ${command%% *} >/dev/null || { echo "bench: no $name here" >&2; continue; }
		echo "$name $can $most $command"
	done
}
loads() {
	sed '/^#/d' "$srcdir/bench/loads.txt" | while read -r name rest; do
		chosen "$LOADS" "$name" && echo "$name $rest"
	done
}

# under ARGUMENTS-OF-LOAD COMMAND... - the load's line about this server.
under() {
	arguments=$1 port=$(mktemp -u)
	shift
	mkfifo "$port" || return
	(with_cpu 0 "$@") >"$port" 2>>"$OUT.log" &
	pid=$!
	read -r number <"$port"
	rm -f "$port"
	test -z "$number" || (with_cpu 1 timeout 300 "$bench/load" $arguments -P $pid "$number")
	children=$(cat /proc/$pid/task/$pid/children 2>/dev/null)   # what is counted, if it is
	kill ${children:-$pid} 2>/dev/null
	wait $pid 2>/dev/null
}

# counted WITH ARGUMENTS-OF-LOAD COMMAND... - what `WITH` says it was, for each
# message. (State Threads and valgrind agree on small limits of descriptors.)
counted() (
	counter=$1 arguments=$2 before=
	shift 2
	ulimit -n 1000
	for n in "$FEW" "$MANY"; do
		under "$arguments -n $n" $counter "$@" >/dev/null
		now=$("${counter%% *}_sum")
		test -n "$before" || before=$now
	done
	rm -f "$OUT.counted"
	echo "$before $now" | awk -v n=$((MANY - FEW)) 'NF == 2 && $2 > $1 { printf "%.2f", ($2 - $1) / n }'
)
perf="perf stat -x, -e raw_syscalls:sys_enter -o $OUT.counted"
perf_sum() { awk -F, '/raw_syscalls/ { print $1 }' "$OUT.counted"; }
strace="strace -c -f -U calls,name -o $OUT.counted"
strace_sum() { awk '$2 == "total" { print $1 }' "$OUT.counted"; }
cachegrind="valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file=$OUT.counted"
valgrind_sum() { sed -n 's/.*I *refs: *//p' "$OUT.counted" | tr -d ,; }

# perf tells without slowing the server down, but may not everywhere.
if $perf true 2>/dev/null && test "$(perf_sum)" -gt 0 2>/dev/null; then
	system_calls=$perf
elif strace -o /dev/null true 2>/dev/null; then
	system_calls=$strace
else
	echo "bench: neither perf nor strace can count system calls here" >&2
	system_calls=
fi
command -v valgrind >/dev/null || { echo "bench: no valgrind to count instructions" >&2; cachegrind=; }

# row HEAD CALLS INSTRUCTIONS - reads the load's line, writes the CSV's.
row() {
	awk -v head="$1" -v tail="$2,$3" '{
		for (i = 1; i <= NF; i++) { split($i, pair, "="); value[pair[1]] = pair[2] }
		printf "%s", head
		n = split("rate megabytes cpu p50 p90 p99 p999 max errors memory pss tables", names, " ")
		for (i = 1; i <= n; i++) printf ",%s", value[names[i]]
		print "," tail
	}' >>"$OUT.csv"
}

began=$(date +%s) done=0 told=0
progress() {
	done=$((done + 1)) now=$(date +%s)
	line="bench: $done of $total, $*, $((now - began)) s, some $(((now - began) * (total - done + 1) / done)) s to go"
	if test -t 2; then
		printf '\r\033[K%s' "$line" >&2
	elif test $((now - told)) -ge 30; then
		told=$now
		echo "$line" >&2
	fi
}

# measure ROUND LOAD MODE ARGUMENTS SERVER CAN COMMAND...
measure() {
	round=$1 load=$2 mode=$3 wanted=$4 server=$5 can=$6
	shift 6
	progress "round $round, $load, $server"
	case $load in
	count-*)
		calls= instructions=
		test -z "$system_calls" || calls=$(counted "$system_calls" "$wanted" "$@" "$mode")
		case "$cachegrind,$can," in valgrind*,instructions,*)
			instructions=$(counted "$cachegrind" "$wanted" "$@" "$mode") ;;
		esac
		echo | row "$round,$load,$server" "$calls" "$instructions"
		return ;;
	esac
	line=$(under "$wanted -d $DURATION${MESSAGES:+ -n $MESSAGES}" "$@" "$mode")
	test -n "$line" || { echo "bench: $server failed at $load" >&2; return; }
	echo "$line" | row "$round,$load,$server" "" ""
}

# plan - what is to be measured, in this order: round, load, and server.
plan() {
	awk -v rounds="$ROUNDS" -v peers="$PEERS" '
	function add(round, l, s,    n) {
		n = load[l]; sub(/.*-c /, "", n); sub(/ .*/, "", n)
		split(load[l], part, " "); split(server[s], whose, " ")
		if (n + 0 <= whose[3] && index("," whose[2] ",", "," part[2] ",") &&
		    (s <= 2 || round == 0 || int(round * peers / rounds) > int((round - 1) * peers / rounds)))
			print round, load[l] "|" server[s]
	}
	FNR == NR { server[++servers] = $0; next }
	{ load[++loads] = $0 }
	END {
		for (round = 1; round <= rounds; round++) for (l = 1; l <= loads; l++)
			for (s = 1; s <= servers && load[l] !~ /^(idle|count)-/; s++)
				add(round, l, round % 2 ? s : servers + 1 - s)
		for (l = 1; l <= loads; l++) for (s = 1; s <= servers; s++)
			if (load[l] ~ /^(idle|count)-/)
				add(0, l, s)
	}' "$1" "$2"
}

servers >"$OUT.servers"
loads >"$OUT.loads"
plan "$OUT.servers" "$OUT.loads" >"$OUT.plan"
total=$(wc -l <"$OUT.plan")
test "$KEEP" = yes && test -s "$OUT.csv" || : >"$OUT.csv"
awk -F, 'BEGIN { print "round,load,server,rate,megabytes,cpu,p50,p90,p99,p999,max,errors,memory,pss,tables,calls,instructions" }
	FILENAME == ARGV[1] { split($0, word, " "); again[word[1]]; next }
	$1 != "round" && !($2 in again)' "$OUT.loads" "$OUT.csv" >"$OUT.kept"
mv "$OUT.kept" "$OUT.csv"
: >"$OUT.log"
while IFS='|' read -r what whom <&3; do
	set -- $what
	round=$1 load=$2 mode=$3
	shift 3
	arguments=$*
	set -- $whom
	server=$1 can=$2
	shift 3
	measure "$round" "$load" "$mode" "$arguments" "$server" "$can" "$@"
done 3<"$OUT.plan"
test ! -t 2 || printf '\r\033[K' >&2

tell() { awk -f "$srcdir/bench/stats.awk" -f "$srcdir/bench/$1" "$srcdir/bench/loads.txt" "$srcdir/bench/servers.txt" "$OUT.csv"; }
tell table.awk | tee "$OUT.txt"
tell chart.awk >"$OUT.svg"
rm -f "$OUT.servers" "$OUT.loads" "$OUT.plan"
test -s "$OUT.log" || rm -f "$OUT.log"
