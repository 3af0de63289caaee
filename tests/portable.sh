#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Other C libraries and other processors, as far as Debian's packages go:
#
#	make check-portable			all of them
#	make check-portable PORTABLE="musl"	some
#
#	musl		musl-gcc; nearly all of the unit tests, assembly
#	musl-signal	the same with fibers that start in a signal handler, for
#			musl has no makecontext; tests of contexts and fibers
#	aarch64, s390x	a cross compiler, and the tests of buffers, contexts and
#			fibers in qemu's user mode; s390x is big-endian
#	i386		gcc -m32, run as it is
#
# portable.sh SOURCE [STAGE...]: SOURCE is what make dist packs. Check and pcre2
# are built for each target from Debian's sources and stay in $PORTABLE_CACHE,
# ~/.cache/weft-portable unless set. The build of a stage that fails is left in
# portable/. A stage without its tools is skipped and says so. Packages:
# musl-tools gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu
# libc6-dev-s390x-cross qemu-user-static dpkg-dev gcc-12-multilib
source=$(cd "$1" && pwd) && scripts=$(cd "$(dirname "$0")" && pwd) || exit 1
shift
test $# -gt 0 || set -- musl musl-signal aarch64 s390x i386
cache=${PORTABLE_CACHE:-${XDG_CACHE_HOME:-${HOME:-$PWD}/.cache}/weft-portable}
mkdir -p "$cache" portable && cache=$(cd "$cache" && pwd) || exit 1
builds=$PWD/portable
jobs=-j$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS DESTDIR CC
ran=0 failed=0

contexts="check_context check_context_state check_stack check_stack_guard"
fibers="check_cancel check_channel check_deadline check_fiber check_local
	check_lock check_sched check_scope check_select check_sync check_wait"
buffers="check_buffer check_buffer_grow check_buffer_io check_buffer_iov
	check_buffer_num check_buffer_search check_buffer_view"

has() { command -v "$1" >/dev/null 2>&1; }
. "$scripts/portable_libraries.sh"

# quietly LOG COMMAND... - its output only if it fails.
quietly() {
	log=$1
	shift
	"$@" >"$log" 2>&1 || { status=$?; tail -n 30 "$log"; return $status; }
}

# stage NAME CC HOST LOG_COMPILER TESTS [CONFIGURE FLAG...] - build all, run
# these tests. HOST and LOG_COMPILER may be empty; TESTS "all": all programs.
stage() {
	name=$1 cc=$2 host=$3 runner=$4 tests=$5
	shift 5
	target=${name%-signal}
	regexes=$(library pcre2 "$target" CC="$cc" ${host:+--host="$host"}) &&
		set -- "$@" PCRE2_CFLAGS="-I$regexes/include" PCRE2_LIBS="-L$regexes/lib -lpcre2-8" || {
		echo "portable: $name: no pcre2 for it (see $cache): without regular expressions"
		set -- "$@" --without-pcre2
	}
	check=$(library check "$target" CC="$cc" ${host:+--host="$host"}) || {
		echo "portable: $name: no Check for it (see $cache): built, not run"
		tests=
	}
	mkdir -p "$builds/$name" && cd "$builds/$name" || return
	quietly configure.log "$source/configure" CC="$cc" ${host:+--host="$host"} \
		PKG_CONFIG=false CHECK_CFLAGS="-I$check/include" CHECK_LIBS="-L$check/lib -lcheck -lm" \
		--disable-shared --enable-debug --enable-werror "$@" &&
		quietly make.log make $jobs all || return
	case $tests in
	'') return ;;
	all) set -- tree_tests= kqueue_tests= ;;
	*)
		tests=$(for test in $tests; do printf 'tests/%s ' "$test"; done)
		set -- TESTS="$tests" check_PROGRAMS="$tests" ;;
	esac
	rm -f tests/*.trs
	make $jobs check LOG_COMPILER="$runner" "$@" >check.log 2>&1
	status=$?
	sed -n "/^# TOTAL\|^# PASS\|^# FAIL\|^# SKIP/s/^#/portable: $name:/p; /^FAIL/p; /^ERROR/p; /error:/p" check.log
	for trs in $(grep -lE '^:test-result: (FAIL|ERROR)' tests/*.trs); do
		tail -n 20 "${trs%.trs}.log"
	done
	return $status
}

# try STAGE - 77: its tools are not here.
try() {
	case $1 in
	musl | musl-signal) needs=musl-gcc ;;
	aarch64 | s390x) needs="$1-linux-gnu-gcc qemu-$1-static" ;;
	i386) needs=gcc ;;
	*) echo "portable: $1: there is no such stage"; return 1 ;;
	esac
	for tool in $needs; do
		has "$tool" || { echo "portable: $1: skipped, no $tool"; return 77; }
	done
	case $1 in
	musl) stage musl musl-gcc "" "" all ;;
	musl-signal)
		stage musl-signal musl-gcc "" "" "$contexts $fibers" --with-context=sigaltstack ;;
	i386)
		# Debian's multilib headers lack asm/ where there are cross compilers.
		m32="gcc -m32 -isystem /usr/include/x86_64-linux-gnu"
		echo '#include <errno.h>
		int main(void) { return 0; }' >"$builds/x.c"
		$m32 "$builds/x.c" -o "$builds/x" 2>/dev/null && "$builds/x" ||
			{ echo "portable: i386: skipped, gcc -m32 makes nothing that runs"; return 77; }
		stage i386 "$m32" i686-linux-gnu "" all ;;
	*)
		stage "$1" "$1-linux-gnu-gcc" "$1-linux-gnu" \
			"timeout 300 qemu-$1-static -L /usr/$1-linux-gnu" \
			"$contexts $fibers $buffers" ;;
	esac
}

for name; do
	echo "portable: $name"
	(try "$name")
	case $? in
	0) ran=$((ran + 1)); rm -rf "$builds/$name" ;;
	77) ;;
	*) failed=$((failed + 1)); echo "portable: $name: FAILED" ;;
	esac
done
echo "portable: $ran passed, $failed failed, $(($# - ran - failed)) skipped"
test $failed = 0 || exit 1
test $ran != 0 || exit 77
