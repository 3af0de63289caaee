#!/bin/sh
# SPDX-License-Identifier: MIT
#
# micro.sh - what "make bench-micro" runs first: the programs of micros.txt, which
# say what an operation costs in weft and in other libraries, in rounds.
#
#	ROUNDS=3 MILLISECONDS=100   how often, and how long for each operation
#	OTHERS=100000               fibers that are parked, or wait with deadlines
#	MICROS="weft go"            only these
#	OUT=bench/micro             micro.csv, micro.txt, micro.svg
: "${srcdir:=.}" "${builddir:=.}" "${ROUNDS:=3}" "${MILLISECONDS:=100}" "${OTHERS:=100000}"
: "${OUT:=$builddir/bench/micro}"
bench=$builddir/bench

micros() {
	sed '/^#/d' "$srcdir/bench/micros.txt" | while read -r name command; do
		case " $MICROS " in "  " | *" $name "*) ;; *) continue ;; esac
		eval "command=\"$command\""
		command -v "$command" >/dev/null || { echo "bench-micro: no $name here" >&2; continue; }
		echo "$name $command"
	done
}
progress() { test ! -t 2 || printf '\r\033[K%s' "$*" >&2; }

micros >"$OUT.list"
echo "round,micro,operation,value" >"$OUT.csv"
for round in $(seq "$ROUNDS"); do
	while read -r name command <&3; do
		progress "bench-micro: round $round of $ROUNDS, $name"
		"$command" "$MILLISECONDS" "$OTHERS" | sed "s/ /,/; s/^/$round,$name,/" >>"$OUT.csv"
		tail -n 1 "$OUT.csv" | grep -q ",$name," || echo "bench-micro: $name failed" >&2
	done 3<"$OUT.list"
done
progress ""
rm -f "$OUT.list"

tell() { awk -v form="$1" -f "$srcdir/bench/micro.awk" "$srcdir/bench/micros.txt" "$OUT.csv"; }
tell table | tee "$OUT.txt"
tell chart >"$OUT.svg"
