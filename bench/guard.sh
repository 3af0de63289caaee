#!/bin/sh
# SPDX-License-Identifier: MIT
#
# guard.sh [new] - how many instructions an operation of bench/guard takes, the
# calls of the C library included, the kernel not. They are counted, not timed:
# the same on a busy machine. Fails if one takes 3 % more than guard.txt says,
# and 2. With "new", prints a guard.txt.
#
# Another compiler makes other instructions: then it only tells.
: "${srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${LIBTOOL:=$top_builddir/libtool}"
command -v valgrind >/dev/null || { echo "SKIP: no valgrind"; exit 77; }
known=$srcdir/bench/guard.txt
here="$($CC --version | sed "s/^[^ ]* //;q"), $(uname -m)"
operations="echo-1 echo-64 line connect yield spawn channel deadline"

# count OPERATION TIMES
count() {
	"$LIBTOOL" --mode=execute valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
		"$top_builddir/bench/guard" "$@" 2>&1 | sed -n 's/.*I *refs: *//p' | tr -d ,
}

if test "$1" = new; then
	echo "# Instructions, see guard.sh: $here"
	for operation in $operations; do
		few=$(count $operation 8192) many=$(count $operation 24576)
		echo "$operation $(((many - few + 8192) / 16384))"
	done
	exit
fi

status=0
grep -qF ": $here" "$known" || { status=77; echo "not the compiler of guard.txt: $here"; }
for operation in $operations; do
	few=$(count $operation 8192) many=$(count $operation 24576)
	now=$(((many - few + 8192) / 16384))
	was=$(sed -n "s/^$operation //p" "$known")
	echo "$operation: $now instructions, $was before"
	test $status = 77 || test "$now" -le $((was * 103 / 100 + 2)) ||
		{ echo "FAIL: $operation takes more"; status=1; }
	test $status = 77 || test $((now * 10)) -ge $((was * 9)) ||
		echo "$operation: better; guard.txt wants to know"
done
exit $status
