#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The double of kqueue prints what two real kernels did (kqueue/*.freebsd and
# *.openbsd, as they came from there), line by line, except for what is not
# kqueue's doing. That is taken out of both, here, and is all:
#
#   everywhere   sizes of buffers and files: data of WRITE if not 0, "wrote N
#                read N" if it is the same N; numbers of errors, signals,
#                processes: by name
#   tcp          how many bytes the 1st level READ finds: Nagle's algorithm
#                held one back in FreeBSD
#   tty          the name of the terminal; how a read of a master ends whose
#                slave is closed (here EIO, there 0); which error a slave
#                whose master is closed gives to write (here EIO, in FreeBSD
#                ENXIO); the console, and shutdown(), which the probe leaves out
: "${srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${LIBTOOL:=$top_builddir/libtool}"
library=$top_builddir/tests/libkqueue.la
test -f "$library" || { echo "SKIP: no double of kqueue on this system"; exit 77; }
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
status=0

# build PROGRAM KIND - for the double, with the declarations of that kernel.
build() {
	case $2 in openbsd) only=-DKQUEUE_OPENBSD ;; *) only= ;; esac
	$CC $CPPFLAGS $CFLAGS $INSTRUMENT $PTHREAD_CFLAGS $only \
		-I"$srcdir/tests/kqueue" -c "$srcdir/tests/kqueue/$1.c" \
		-o "$temporary/$1.o" &&
	$LIBTOOL --silent --tag=CC --mode=link $CC $CFLAGS $INSTRUMENT $PTHREAD_CFLAGS \
		-o "$temporary/$1.$2" "$temporary/$1.o" "$library"
}

# names - errors, signals and processes by name.
names() {
	sed -E '
		s/errno=[0-9]+\(/errno=(/
		s/No such device|Operation not supported by device/ENODEV/
		s/ff=(36|68) /ff=ECONNRESET /g
		s/ff=(3d|6f) /ff=ECONNREFUSED /g
		s/\[SIGNAL id=(30|10) /[SIGNAL id=SIGUSR1 /
		s/\[SIGNAL id=(31|12) /[SIGNAL id=SIGUSR2 /
		s/(PROC id=)-?[0-9]+/\1PID/'
}

# sizes - of buffers.
sizes() {
	sed -E '
		s/(\[W(RITE)?[^]]* data=)[1-9][0-9]*/\1SPACE/g
		s/wrote ([0-9]+) read \1$/wrote ALL read ALL/
		s/^(slave full .* data=)[1-9][0-9]*/\1SOME/
		s/^(  read at 0 .* data=)[1-9][0-9]*/\1SIZE/'
}

# others - what else is not kqueue's doing.
others() {
	sed -E '
		/^--- tcp/,/^--- pipe/s/^(level READ .* data=)[23]/\12 or 3/
		s/^pts .*/pts/
		s/^(   master read=).*/\1THE END/
		s/^(   slave write=-1 ).*/\1ERROR/
		/^console:/,/^   shutdown after/d' |
	awk '/slave wrote/ { wrote = $3; $3 = "ALL" } /master read [0-9]/ && $3 == wrote { $3 = "ALL" } { print }'
}

# compare PROGRAM KIND - a busy machine may be late for some timers: try again.
compare() {
	names <"$srcdir/tests/kqueue/$1.$2" | sizes | others >"$temporary/wanted"
	for attempt in 1 2 3 4 5; do
		KQUEUE_DOUBLE=$2 "$temporary/$1.$2" "$0" >"$temporary/raw" 2>&1 || break
		names <"$temporary/raw" | sizes | others >"$temporary/got"
		diff "$temporary/wanted" "$temporary/got" >"$temporary/diff" && return
	done
	echo "FAIL: $1: $2 (<) and the double (>)"
	cat "$temporary/diff" || cat "$temporary/raw"
	return 1
}

for kind in freebsd openbsd; do
	for program in probe tty; do
		build $program $kind && compare $program $kind || status=1
	done
done
exit $status
