#!/bin/sh
# SPDX-License-Identifier: MIT
#
# weft as it is where the system lacks a call or a flag (configure --with-missing):
#
#	make check-missing			all of them at once, and then each alone
#	make check-missing MISSING="all"	some; "all" is all at once,
#						"whole" the same with all unit tests
#						but those of examples
#
# missing.sh SOURCE [WORD...]: SOURCE is what make dist packs. Each word gets a
# build of the library, and the tests of what it takes away; all at once, the
# tests of all of them. Builds are in a temporary directory, without optimization.
source=$(cd "$1" && pwd) || exit 1
shift
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
jobs=-j$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS DESTDIR

words=$(sed -n '/m4_define(\[weft_missing_/,/])$/{s/.*\[weft_missing_[a-z]*\],//; s/[][()]//g; p;}' \
	"$source/build-aux/m4/weft_missing.m4")
test -n "$words" || { echo "missing: no words in weft_missing.m4"; exit 1; }
test $# -gt 0 || set -- all $words

# tests_of WORD - the tests of what does its work instead.
tests_of() {
	case $1 in
	accept4) echo accept poller_servers server_faults ;;
	dup3 | proc_self_fd) echo stdio tty ;;
	epoll) echo faults reactor stream_read ;;
	eventfd) echo fallback fork renew tty_job wake ;;
	mincore) echo stack ;;
	pipe2) echo faults stream_write ;;
	recvmmsg | sendmmsg) echo udp_faults udp_many ;;
	secure_getenv) echo loop ;;
	sigqueue | sigtimedwait) echo signal signal_between ;;
	MADV_GUARD_INSTALL) echo overflow stack_guard ;;
	MAP_STACK) echo stack ;;
	MSG_CMSG_CLOEXEC | SO_PEERCRED) echo unix_pass ;;
	MSG_NOSIGNAL) echo buffer_io sigpipe stream_write udp unix_pass ;;
	POLLRDHUP) echo endings poll stream_close ;;
	SOCK_CLOEXEC) echo tcp udp unix ;;
	ip_mreqn) echo udp_options ;;
	pidfd_open) echo child ;;
	*) echo "missing: $1: no tests" >&2; return 1 ;;
	esac
}

# quietly COMMAND... - its output only if it fails.
quietly() {
	"$@" >log 2>&1 || { status=$?; tail -n 40 log; return $status; }
}

# build WORDS - what configure has found out, but for what may be missing, is good
# for all.
build() {
	sed '/weft_cv_HAVE_/d' ../cache >config.cache 2>/dev/null
	quietly "$source/configure" -C CFLAGS=-O0 --with-missing="$1" --enable-debug --enable-werror \
		--disable-shared --without-pcre2 &&
		{ test -f ../cache || cp config.cache ../cache; } && quietly make config.h
}

# run TESTS - the programs are made on the way.
run() {
	programs=$(for test in $1; do printf 'tests/check_%s ' "$test"; done)
	make $jobs check-TESTS TESTS="$programs" check_PROGRAMS="$programs" >check.log 2>&1 && {
		sh "$source/tests/tally.sh" tests | sed "
			1s/\([0-9]*\) .*/missing: $word: \1 tests passed/
			2,\$s/^/missing: $word: /"
		return
	}
	sed -n '/error:/p; /^FAIL:/p; /^ERROR:/p' check.log
	for trs in $(grep -lE '^:test-result: (FAIL|ERROR)' tests/*.trs /dev/null); do
		tail -n 20 "${trs%.trs}.log"
	done
	return 1
}

# try WORD
try() {
	case $1 in
	all) tests=$(for word in $words; do tests_of $word || echo none; done | tr ' ' '\n' | sort -u) ;;
	whole) tests=$(cd "$source/tests" && ls check_*.c | sed 's/^check_//; s/\.c$//; /^kqueue/d; /^odd$/d; /^cat$/d; /^telnet$/d') ;;
	*) tests=$(tests_of "$1") || return ;;
	esac
	mkdir "$temporary/$1" && cd "$temporary/$1" || return
	case $1 in
	all | whole) build all ;;
	*) build "$1" ;;
	esac && run "$tests"
}

failed=0
for word; do
	began=$(date +%s)
	if (try "$word"); then
		echo "missing: $word: good, $(($(date +%s) - began)) s"
	else
		echo "missing: $word: FAILED"
		failed=$((failed + 1))
	fi
	rm -rf "$temporary/$word"
done
echo "missing: $(($# - failed)) passed, $failed failed"
test $failed = 0
