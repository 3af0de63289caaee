#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Install into an empty directory, build a program as a user would, through
# pkg-config, run it, uninstall: nothing is left.
: "${srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${MAKE:=make}"
: "${PKG_CONFIG:=pkg-config}"
command -v "$PKG_CONFIG" >/dev/null || { echo "SKIP: no pkg-config"; exit 77; }
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
fail() { echo "FAIL: $*"; exit 1; }
make_it() { (cd "$top_builddir" && $MAKE -f GNUmakefile DESTDIR="$root/to" "$@") >"$root/log" 2>&1 || { cat "$root/log"; fail "$*"; }; }

make_it install
# The system's own directories are for what weft itself requires.
PKG_CONFIG_LIBDIR=$(dirname "$(find "$root/to" -name weft.pc)"):$($PKG_CONFIG --variable pc_path pkg-config)
PKG_CONFIG_SYSROOT_DIR=$root/to PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_ALLOW_SYSTEM_CFLAGS PKG_CONFIG_ALLOW_SYSTEM_LIBS
LD_LIBRARY_PATH=$(dirname "$(find "$root/to" -name 'libweft.*' | head -n 1)")
export LD_LIBRARY_PATH

cat >"$root/user.c" <<'END'
#include <stdio.h>
#include <weft.h>

static int
weave(void *arg)
{
	return weft_buffer_put_bytes(arg, "woven\n", 6);
}

int
main(void)
{
	struct weft_buffer *b = weft_buffer_new(16);
	struct weft_fiber *f = weft_spawn(weave, b);
	int result = -1;

	if (f == NULL || weft_join(f, &result, weft_after(10000)) != 0 || result != 0)
		return 1;
	weft_buffer_flip(b);
	fwrite(weft_buffer_bytes(b), 1, weft_buffer_remaining(b), stdout);
	weft_buffer_free(b);
	return 0;
}
END
# builds WHAT LIBRARIES - the program builds so, and runs.
builds() {
	$CC $CFLAGS $INSTRUMENT $($PKG_CONFIG --cflags weft) "$root/user.c" -o "$root/user" $2 ||
		fail "a program does not build with the $1 library"
	test "$("$root/user")" = woven || fail "a program does not run with the $1 library"
}
archive=$(find "$root/to" -name libweft.a)
test -z "$(find "$root/to" -name libweft.so -o -name libweft.dylib)" ||
	builds shared "$($PKG_CONFIG --libs weft)"
test -z "$archive" ||
	builds static "$($PKG_CONFIG --static --libs weft | sed "s|-lweft|$archive|")"

for page in "$srcdir"/man/*.[37]; do
	test -f "$page" || continue
	section=${page##*.}
	for name in $(awk '/^\.Sh/ { on = $2 == "NAME" } on && $1 == ".Nm" { print $2 }' "$page"); do
		find "$root/to" -name "$name.$section" | grep -q . || fail "no page $name($section)"
	done
done

make_it uninstall
left=$(find "$root/to" ! -type d)
test -z "$left" || fail "uninstall leaves $left"
