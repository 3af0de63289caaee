#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fuzz.sh - let clang's libFuzzer look for inputs that part a Buffer from its
# model, and the reactor from poll(2), for FUZZ_SECONDS together. What it finds
# is left in FUZZ_FINDINGS.
# Debian: clang-14 libclang-rt-14-dev
: "${srcdir:=.}" "${top_builddir:=.}" "${FUZZ_CC:=clang}" "${FUZZ_SECONDS:=30}" "${FUZZ_FINDINGS:=.}"
command -v "$FUZZ_CC" >/dev/null || { echo "SKIP: no $FUZZ_CC"; exit 77; }
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
cat >"$temporary/config.h" <<'END'
#define _GNU_SOURCE 1
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

# fuzz TARGET SOURCE... - half of the time each.
fuzz() {
	target=$1
	shift
	$FUZZ_CC -std=c11 -O1 -g $instrument -pthread -I"$include" -I"$srcdir/include" \
		-I"$srcdir" "$srcdir/tests/$target.c" "$@" -o "$temporary/$target" || exit 1
	mkdir "$temporary/$target.corpus"
	"$temporary/$target" -max_total_time="$((FUZZ_SECONDS / 2))" -max_len=1024 -len_control=0 \
		-verbosity=1 -print_final_stats=1 -artifact_prefix="$FUZZ_FINDINGS/$target-" \
		"$temporary/$target.corpus" >"$temporary/log" 2>&1 ||
		{ cat "$temporary/log"; exit 1; }
	echo "$target:"
	grep -E 'number_of_executed_units|cov:' "$temporary/log" | tail -n 2
}

include=$temporary
fuzz fuzz_buffer "$srcdir"/lib/buffer*.c "$srcdir/lib/compat.c"
# Of the system the reactor has to know what configure has found out.
test -f "$top_builddir/config.h" || { echo "SKIP: fuzz_reactor, no config.h"; exit 0; }
include=$top_builddir
fuzz fuzz_reactor "$srcdir"/reactor/*.c "$srcdir"/fiber/*.c "$srcdir"/fiber/*.S
