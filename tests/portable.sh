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
# portable.sh SOURCE [STAGE...]: SOURCE is what make dist packs. Check is built
# for each target from Debian's source. It, and the builds, stay in
# $PORTABLE_CACHE for the next time. A stage without its tools is skipped and
# says so. Packages: musl-tools gcc-aarch64-linux-gnu libc6-dev-arm64-cross
# gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static dpkg-dev
source=$(cd "$1" && pwd) || exit 1
shift
test $# -gt 0 || set -- musl musl-signal aarch64 s390x i386
cache=${PORTABLE_CACHE:-$PWD/portable}
mkdir -p "$cache" && cache=$(cd "$cache" && pwd) || exit 1
jobs=-j$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS DESTDIR CC
ran=0 failed=0

contexts="check_context check_context_state check_stack check_stack_guard"
fibers="check_cancel check_channel check_deadline check_fiber check_local
	check_lock check_sched check_scope check_select check_sync check_wait"
buffers="check_buffer check_buffer_grow check_buffer_io check_buffer_iov
	check_buffer_num check_buffer_search check_buffer_view"

has() { command -v "$1" >/dev/null 2>&1; }
# quietly LOG COMMAND... - its output only if it fails.
quietly() {
	log=$1
	shift
	"$@" >"$log" 2>&1 || { status=$?; tail -n 30 "$log"; return $status; }
}

# check_source - Debian's source of Check, unpacked in $cache/check-*; apt is
# told about it in files of our own.
check_source() {
	ls "$cache"/check-*/configure >/dev/null 2>&1 && return
	has apt-get && has dpkg-source || return
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial" "$cache/apt/parts"
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	echo "deb-src http://deb.debian.org/debian $release main" >"$cache/apt/list"
	cat >"$cache/apt/conf" <<-END
		Dir::Etc::SourceList "$cache/apt/list";
		Dir::Etc::SourceParts "$cache/apt/parts";
		Dir::State::Lists "$cache/apt/lists";
		Dir::Cache "$cache/apt";
	END
	(cd "$cache" && APT_CONFIG=$cache/apt/conf && export APT_CONFIG &&
		apt-get -q update && apt-get -q source check) >"$cache/apt/log" 2>&1
}

# check_for NAME CC HOST - Check for that target, in $cache/NAME-check.
check_for() {
	test -f "$cache/$1-check/include/check_stdint.h" && return
	check_source || return
	from=$(echo "$cache"/check-*/configure) from=${from%/configure}
	mkdir -p "$cache/$1-check/build" && cd "$cache/$1-check/build" &&
		quietly configure.log "$from/configure" -q CC="$2" ${3:+--host="$3"} \
			--disable-shared --disable-subunit --prefix="$cache/$1-check" &&
		quietly make.log make -s $jobs -C lib &&
		quietly make.log make -s $jobs -C src install &&
		cp "$({ test -f check_stdint.h && echo .; } || echo "$from")/check_stdint.h" \
			"$cache/$1-check/include"
}

# stage NAME CC HOST LOG_COMPILER TESTS [CONFIGURE FLAG...] - build all, run
# these tests. HOST and LOG_COMPILER may be empty; TESTS "all": all programs.
stage() {
	name=$1 cc=$2 host=$3 runner=$4 tests=$5
	shift 5
	check=${name%-signal}
	(check_for "$check" "$cc" "$host") || {
		echo "portable: $name: no Check for it (see $cache/apt/log): built, not run"
		tests=
	}
	mkdir -p "$cache/$name" && cd "$cache/$name" || return
	quietly configure.log "$source/configure" CC="$cc" ${host:+--host="$host"} \
		PKG_CONFIG=false CHECK_CFLAGS="-I$cache/$check-check/include" \
		CHECK_LIBS="-L$cache/$check-check/lib -lcheck" --without-pcre2 \
		--disable-shared --enable-debug --enable-werror "$@" &&
		quietly make.log make $jobs all || return
	case $tests in
	'') return ;;
	all) set -- tree_tests= kqueue_tests= ;;
	*) set -- TESTS="$(for test in $tests; do printf 'tests/%s ' "$test"; done)" ;;
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
		int main(void) { return 0; }' >"$cache/x.c"
		$m32 "$cache/x.c" -o "$cache/x" 2>/dev/null && "$cache/x" ||
			{ echo "portable: i386: skipped, gcc -m32 makes nothing that runs"; return 77; }
		stage i386 "$m32" i686-linux-gnu "" "$contexts $fibers $buffers" ;;
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
	0) ran=$((ran + 1)) ;;
	77) ;;
	*) failed=$((failed + 1)); echo "portable: $name: FAILED" ;;
	esac
done
echo "portable: $ran passed, $failed failed, $(($# - ran - failed)) skipped"
test $failed = 0 || exit 1
test $ran != 0 || exit 77
