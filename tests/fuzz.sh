#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fuzz.sh - let clang's libFuzzer look for inputs that part a Buffer from its
# model, a stream that comes in pieces from one that comes whole, and the reactor
# from poll(2), also over the double of kqueue as either of its kernels, for
# FUZZ_SECONDS together, two at a time. What it finds is left in FUZZ_FINDINGS.
# Debian: clang-14 libclang-rt-14-dev
: "${srcdir:=.}" "${top_builddir:=.}" "${FUZZ_CC:=clang}" "${FUZZ_SECONDS:=30}" "${FUZZ_FINDINGS:=.}"
command -v "$FUZZ_CC" >/dev/null || { echo "SKIP: no $FUZZ_CC"; exit 77; }
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
cat >"$temporary/config.h" <<'END'
#define _GNU_SOURCE 1
#ifdef __linux__
#define HAVE_STRUCT_MMSGHDR 1
#endif
#include <assert.h>
#define WEFT_ASSERT(x) assert(x)
END
instrument="-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"
cat >"$temporary/x.c" <<'END'
int LLVMFuzzerTestOneInput(const char *, unsigned long);
int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return p == 0 && n > 0; }
END
$FUZZ_CC $instrument "$temporary/x.c" -o "$temporary/x" 2>/dev/null ||
	{ echo "SKIP: $FUZZ_CC has no fuzzer"; exit 77; }

# fuzz TARGET SHARE SOURCE OR FLAG... - for that share of the time.
fuzz() {
	target=$1 seconds=$((FUZZ_SECONDS / $2)) program=$temporary/$1${KQUEUE_DOUBLE:+.kqueue}
	shift 2
	$FUZZ_CC -std=c11 -O1 -g $instrument -pthread -I"$include" -I"$srcdir/include" \
		-I"$srcdir" "$srcdir/tests/$target.c" "$@" -o "$program" || exit 1
	run
}

run() {
	mkdir -p "$program.corpus"
	"$program" -max_total_time="$seconds" -max_len=1024 -len_control=0 \
		-verbosity=1 -print_final_stats=1 -artifact_prefix="$FUZZ_FINDINGS/$target-" \
		"$program.corpus" >"$program.log" 2>&1 ||
		{ cat "$program.log"; exit 1; }
	echo "$target${KQUEUE_DOUBLE:+, $KQUEUE_DOUBLE}:" \
		$(grep -E 'number_of_executed_units|cov:' "$program.log" | tail -n 2)
}

# Of the system the others have to know what configure has found out.
include=$temporary
test -f "$top_builddir/config.h" || {
	fuzz fuzz_buffer 4 "$srcdir"/lib/buffer*.c "$srcdir/lib/compat.c"
	echo "SKIP: the others, no config.h"
	exit 0
}
pcre2=
! grep -q '^#define HAVE_PCRE2' "$top_builddir/config.h" || pcre2=-lpcre2-8

(
	fuzz fuzz_buffer 4 "$srcdir"/lib/buffer*.c "$srcdir/lib/compat.c"
	include=$top_builddir
	fuzz fuzz_stream 4 "$srcdir"/lib/*.c "$srcdir"/reactor/*.c "$srcdir"/fiber/*.c \
		"$srcdir"/fiber/*.S $pcre2
) &
others=$!
(
	include=$top_builddir
	fuzz fuzz_reactor 4 "$srcdir"/reactor/*.c "$srcdir"/fiber/*.c "$srcdir"/fiber/*.S
	test -f "$top_builddir/tests/libkqueue.la" || exit 0
	export KQUEUE_DOUBLE=freebsd
	fuzz fuzz_reactor 8 -DHAVE_KQUEUE -I"$srcdir/tests/kqueue" "$srcdir"/tests/kqueue_*.c \
		"$srcdir"/reactor/*.c "$srcdir"/fiber/*.c "$srcdir"/fiber/*.S
	KQUEUE_DOUBLE=openbsd
	run
)
status=$?
wait $others && exit $status
