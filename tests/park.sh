#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench/park parks fibers behind each kind of guard, within 5 KiB each, and with
# guards that are no mappings wherever the kernel has them.
: "${top_builddir:=.}" "${MAKE:=make}"
unset MAKEFLAGS MFLAGS MAKELEVEL
test -r /proc/self/status || { echo "SKIP: no /proc to measure with"; exit 77; }
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
fail() { echo "FAIL: $*"; cat "$out"; exit 1; }

(cd "$top_builddir" && $MAKE -f GNUmakefile bench/park) >"$out" 2>&1 || fail "it does not build"
"$top_builddir/bench/park" 3000 >"$out" 2>&1 || fail "not all of them could be spawned"
test "$(grep -c ': 3000 fibers parked' "$out")" = 2 || fail "not 3000 with each guard"
# Sanitizers and emulators have memory of their own.
test -z "$INSTRUMENT" || exit 0
awk '/bytes each/ && $2 > 5120 { bad = 1 } END { exit bad }' "$out" || fail "more than 5 KiB each"
awk '/^madvise/ { on = 1 } /^mprotect/ { on = 0 } on && /guarded so/ { fell = 1 }
	on && /mappings/ && $2 > 200 { many = 1 } END { exit many && !fell }' "$out" ||
	fail "guards cost mappings"
