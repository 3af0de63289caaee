#!/bin/sh
# SPDX-License-Identifier: MIT
#
# weft-ps and weft-bt tell what is known about the fibers of gdb/target.c: of a
# process that runs under gdb, of one that gdb comes to later, of a core file.
: "${srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${LIBTOOL:=$top_builddir/libtool}"
skip() { echo "SKIP: $*"; exit 77; }
command -v gdb >/dev/null || skip "no gdb"
test "$(gdb -nx -batch -ex 'python print(6 * 7)' 2>&1)" = 42 || skip "a gdb without python"
gdb -nx -batch -ex 'python import gdb.unwinder' 2>&1 | grep . && skip "a gdb without unwinders"

temporary=$(mktemp -d) || exit 1
process=
trap 'test -z "$process" || { kill -9 $process; wait $process; } 2>/dev/null; rm -rf "$temporary"' EXIT
script=$srcdir/fiber/weft-gdb.py
ASAN_OPTIONS=detect_leaks=0:disable_coredump=0
export ASAN_OPTIONS
status=0
fail() { echo "FAIL: $*"; status=1; }

$CC $CPPFLAGS -I"$srcdir/include" $CFLAGS -g $INSTRUMENT $PTHREAD_CFLAGS \
	-c "$srcdir/tests/gdb/target.c" -o "$temporary/target.o" &&
$LIBTOOL --silent --tag=CC --mode=link $CC $CFLAGS $INSTRUMENT $PTHREAD_CFLAGS -no-install \
	-o "$temporary/target" "$temporary/target.o" "$top_builddir/libweft.la" || exit 1

# debug ARGUMENT... - gdb with the script, for a minute at most.
debug() {
	timeout 60 gdb -nx -batch -iex 'set debuginfod enabled off' -iex 'set width 0' \
		-iex 'set pagination off' -iex "source $script" "$@" </dev/null 2>&1
}

# says WHAT FILE PATTERN... - each of the patterns is in a line of it.
says() {
	what=$1 file=$2
	shift 2
	for pattern; do
		grep -Eq -e "$pattern" "$file" && continue
		fail "$what: no line has: $pattern"
		cat "$file"
		return
	done
}

fibers_of_the_first='fiber 1 "main" runs'
# ps_is_right WHAT FILE
ps_is_right() {
	says "$1" "$2" 'loop 1' 'loop 2' "$fibers_of_the_first" \
		'fiber 2 "reader \?1\?" waits for input on descriptor [0-9]+, since [0-9]+ ms, deadline in 3[0-9]{6} ms, stack (5[0-9]|[67][0-9]) of 256 KiB$' \
		'fiber 3 "waiter" waits for an event, since [0-9]+ ms, stack [0-9]+ of 256 KiB$' \
		'fiber 4 "ended" has ended with 7, not joined, stack ' \
		'fiber 2 "elsewhere" waits for an event' \
		'fiber 1 "main" (waits for a permit|runs)'
	test "$(grep -c 'fiber [0-9]' "$2")" = 6 || { fail "$1: not 6 fibers"; cat "$2"; }
}

# bt_is_right WHAT FILE - from the wait out to the fiber's function, and no
# further than its first frame.
bt_is_right() {
	says "$1" "$2" 'fiber 2 "reader' '#[0-9]+ .*weft_fd_wait \(' \
		'#[0-9]+ .*wait_three_deep \(' '#[0-9]+ .*read_input \(' \
		'#[0-9]+ .*wait_for_event \(' '#[0-9]+ .*weft_event_wait \(' 'It has ended'
	test "$(grep -c 'in wait_three_deep (' "$2")" = 3 ||
		{ fail "$1: not three frames of wait_three_deep"; cat "$2"; }
	grep -E 'corrupt|Cannot access|not to be found|Python Exception' "$2" && fail "$1: as above"
}

debug -ex 'break stop_here' -ex run -ex 'echo == ps\n' -ex weft-ps \
	-ex 'echo == bt\n' -ex 'weft-bt all' -ex 'echo == one\n' -ex 'weft-bt 2.2' \
	-ex 'echo == unchanged\n' -ex 'bt' \
	-ex 'echo == wrong\n' -ex weft-bt -ex 'weft-bt x' -ex 'weft-bt 1.2.3' -ex 'weft-bt 99' \
	-ex kill --args "$temporary/target" >"$temporary/log"
grep -q '^== ps' "$temporary/log" || { cat "$temporary/log"; fail "gdb said no more"; exit 1; }
grep -q 'ptrace: Operation not permitted' "$temporary/log" && skip "no ptrace here"
# part NAME - what was said after == NAME.
part() { sed -n "/^== $1\$/,/^== /p" "$temporary/log" >"$temporary/$1"; }
for name in ps bt one unchanged wrong; do part $name; done
ps_is_right "a process" "$temporary/ps"
bt_is_right "a process" "$temporary/bt"
says "the running fiber" "$temporary/bt" '#0 .*stop_here \(' '#1 .*main \('
says "one fiber of one loop" "$temporary/one" 'loop 2, fiber 2 "elsewhere"' 'wait_for_event \('
grep -q 'read_input' "$temporary/one" && fail "one fiber: another, too"
says "afterwards" "$temporary/unchanged" '#0 .*stop_here \(' '#1 .*main \('
test "$(grep -Ec 'no such fiber|weft-bt ID, weft-bt LOOP' "$temporary/wrong")" = 4 ||
	{ fail "wrong arguments"; cat "$temporary/wrong"; }

# A core file of the kernel's: gdb's own have zeros where guards are in the way.
{ (ulimit -c unlimited && cd "$temporary" && exec ./target abort); } 2>/dev/null
core=$(find "$temporary" -name 'core*' -size +0)
if test -n "$core"; then
	debug -ex 'echo == ps\n' -ex weft-ps -ex 'echo == bt\n' -ex 'weft-bt all' \
		"$temporary/target" "$core" >"$temporary/log"
	part ps; part bt
	ps_is_right "a core file" "$temporary/ps"
	bt_is_right "a core file" "$temporary/bt"
else
	echo "the kernel leaves no core file here: that part is skipped"
fi

"$temporary/target" sleep &
process=$!
# Until it sleeps: then the main fiber waits, too.
fibers_of_the_first='fiber 1 "main" waits for a permit'
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	debug -p $process -ex 'echo == ps\n' -ex weft-ps -ex 'echo == bt\n' -ex 'weft-bt all' \
		-ex detach >"$temporary/log"
	grep -q 'ptrace: Operation not permitted' "$temporary/log" && break
	test "$(grep -c 'main" waits for a permit' "$temporary/log")" = 2 && break
done
if grep -q 'ptrace: Operation not permitted' "$temporary/log"; then
	echo "gdb may not attach to a process here: that part is skipped"
else
	part ps; part bt
	ps_is_right "a process that sleeps" "$temporary/ps"
	bt_is_right "a process that sleeps" "$temporary/bt"
	says "a process that sleeps" "$temporary/bt" '#[0-9]+ .*weft_park \('
fi

debug -ex weft-ps "$temporary/target" | grep -q 'there is no process' || fail "no process"
exit $status
