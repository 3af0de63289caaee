#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tests of Buffers on a big-endian machine: s390x, in qemu's user mode.
# Debian: qemu-user-static gcc-s390x-linux-gnu libc6-dev-s390x-cross
: "${srcdir:=.}" "${ENDIAN_CC:=s390x-linux-gnu-gcc}"
command -v "$ENDIAN_CC" >/dev/null || { echo "SKIP: no $ENDIAN_CC"; exit 77; }
for qemu in qemu-s390x-static qemu-s390x none; do
	command -v $qemu >/dev/null && break
done
test $qemu != none || { echo "SKIP: no qemu-s390x"; exit 77; }

temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
cat >"$temporary/config.h" <<'END'
#define HAVE_STRUCT_MMSGHDR 1
#define _GNU_SOURCE 1
#include <assert.h>
#define WEFT_ASSERT(x) assert(x)
END
cp "$srcdir/tests/endian_check.h" "$temporary/check.h"
echo 'int main(void) { return 0; }' >"$temporary/x.c"
$ENDIAN_CC -static "$temporary/x.c" -o "$temporary/x" 2>/dev/null && $qemu "$temporary/x" ||
	{ echo "SKIP: $ENDIAN_CC makes nothing that $qemu runs"; exit 77; }

compile="$ENDIAN_CC -std=c11 -O1 -g -pthread -Wall -Wextra -I$temporary -I$srcdir/include -I$srcdir"
for source in "$srcdir"/lib/buffer*.c "$srcdir/lib/compat.c"; do
	$compile -c "$source" -o "$temporary/$(basename "$source").o" || exit 1
done

status=0
for test in buffer buffer_grow buffer_io buffer_iov buffer_num buffer_search buffer_view; do
	wrap=
	case $test in
	buffer_grow) wrap=-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc ;;
	buffer_io) wrap=-Wl,--wrap=poll,--wrap=readv,--wrap=writev,--wrap=recvmsg,--wrap=sendmsg ;;
	esac
	$compile -static $wrap "$srcdir/tests/check_$test.c" "$temporary"/*.c.o -lm \
		-o "$temporary/check_$test" && $qemu "$temporary/check_$test" || status=1
done
exit $status
