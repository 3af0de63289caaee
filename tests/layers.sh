#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The include law: each layer knows only the one below it, and what is special
# about a system or a library stays in the files that are named for it.
cd "${srcdir:-.}" || exit 1
status=0

# law WHAT FOUND - FOUND, the lines that break the law, must be empty.
law() {
	test -z "$2" && return
	printf '%s\n%s\n' "$1:" "$2"
	status=1
}

# includes PATTERN FILE... - the #include lines of the files that match.
includes() {
	pattern=$1
	shift
	grep -E "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)[>\"]" "$@" /dev/null
}

# outside PATTERN - lines of other files than these.
outside() { grep -Ev "^($1):"; }

sources=$(find reactor fiber lib -name '*.[chS]' | sort)

law "reactor/ includes only its own and weft/base.h" \
	"$(includes '(fiber|lib|weft|tests)/.*|weft\.h' reactor/*.[ch] | grep -v '"weft/base\.h"')"
law "fiber/ includes nothing of lib/ or its headers" \
	"$(includes '(lib|weft|tests)/.*|weft\.h' fiber/*.[ch] | grep -Ev '"weft/(base|fiber|loop|process|scope|sync)\.h"')"
law "lib/ includes nothing of reactor/, nor weft.h" \
	"$(includes '(reactor|tests)/.*|weft\.h' lib/*.[ch])"
law "a Buffer stands on libc alone" \
	"$(includes '(fiber|lib|weft)/.*' lib/buffer* | grep -Ev '"(lib/(buffer[a-z_]*|compat|wire)|weft/(base|buffer))\.h"')"
law "only fiber/context* includes ucontext.h" \
	"$(includes 'ucontext\.h|sys/ucontext\.h' $sources | outside 'fiber/context.*')"
law "only lib/regex.c includes pcre2.h" \
	"$(includes 'pcre2.*\.h' $sources | outside 'lib/regex\.c')"
law "only a backend includes the header of its system call" \
	"$(includes 'sys/(epoll|event|devpoll)\.h|port\.h' $sources | outside 'reactor/(epoll|kqueue|poll)\.c')"
law "lib/ never polls: it parks (a Buffer asks, with no time)" \
	"$(includes '(sys/)?(poll|select)\.h' lib/*.[ch] | outside 'lib/buffer_io\.c')"
law "no #if on the system outside contexts, backends and compat" \
	"$(grep -E '^[[:space:]]*#[[:space:]]*(el)?if.*(__linux|__APPLE__|BSD__|__DragonFly__|__sun|__CYGWIN__|_WIN32)' $sources |
		outside 'fiber/context.*|reactor/(epoll|kqueue|poll)\.c|[a-z]*/compat\.[ch]|lib/regex\.c')"
law "public headers know nothing of configure" \
	"$(includes 'config\.h' include/*.h include/weft/*.h
	grep -E '\<HAVE_[A-Z]' include/*.h include/weft/*.h)"
law "weft.h has #include lines only" \
	"$(grep -Ev '^(#include "weft/[a-z_]+\.h"|/\*.*\*/|)$' include/weft.h)"
law "config.h is the first header of every .c file" \
	"$(for file in reactor/*.c fiber/*.c lib/*.c tests/*.c; do
		test -f "$file" || continue
		grep -m 1 '^#include' "$file" | grep -q '"config\.h"' || echo "$file"
	done)"
exit $status
