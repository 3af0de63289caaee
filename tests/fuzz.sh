#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fuzz.sh - let clang's libFuzzer look for inputs that part a Buffer from its
# model, for FUZZ_SECONDS. What it finds is left in FUZZ_FINDINGS.
# Debian: clang-14 libclang-rt-14-dev
: "${srcdir:=.}" "${FUZZ_CC:=clang}" "${FUZZ_SECONDS:=30}" "${FUZZ_FINDINGS:=.}"
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

$FUZZ_CC -std=c11 -O1 -g $instrument -I"$temporary" -I"$srcdir/include" -I"$srcdir" \
	"$srcdir/tests/fuzz_buffer.c" "$srcdir"/lib/buffer*.c "$srcdir/lib/compat.c" \
	-o "$temporary/fuzz_buffer" || exit 1
mkdir "$temporary/corpus"
"$temporary/fuzz_buffer" -max_total_time="$FUZZ_SECONDS" -max_len=1024 -verbosity=1 \
	-print_final_stats=1 -artifact_prefix="$FUZZ_FINDINGS/" "$temporary/corpus" >"$temporary/log" 2>&1
status=$?
test $status = 0 || { cat "$temporary/log"; exit 1; }
grep -E 'number_of_executed_units|cov:' "$temporary/log" | tail -n 2
