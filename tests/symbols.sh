#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lib/weft.map is sorted and is exactly what the shared library exports and
# what the sources define as weft_*; everything else that the static library
# lets others see begins with weft__; nothing needs an executable stack.
: "${srcdir:=.}" "${top_builddir:=.}" "${NM:=nm}"
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
shared=$(ls "$top_builddir"/.libs/libweft.so "$top_builddir"/.libs/libweft.dylib 2>/dev/null)
core=$(ls "$top_builddir"/.libs/libweft-core.a "$top_builddir"/libweft-core.a 2>/dev/null | head -n 1)
status=0
LC_ALL=C
export LC_ALL

# defined FILE OPTION - the names that FILE defines for others.
defined() { $NM -P -g $2 "$1" | awk 'NF > 1 && $2 ~ /[BCDRTVW]/ { sub(/@.*/, "", $1); sub(/^_weft/, "weft", $1); print $1 }' | sort -u; }
# same WHAT A B - the two lists are equal.
same() { diff "$2" "$3" >"$temporary/diff" || { echo "FAIL: $1"; cat "$temporary/diff"; status=1; }; }
cd "$temporary" || exit 1

case $srcdir in /*) ;; *) srcdir=$OLDPWD/$srcdir ;; esac
sed -n '/global:/,/local:/s/^[[:space:]]*\([a-zA-Z_0-9]*\);.*/\1/p' "$srcdir/lib/weft.map" >map
sort -u map >wanted
same "lib/weft.map is not sorted" map wanted

test -n "$core" && defined "$core" '' >all || exit 77
grep -v '^weft__' all >public
grep -E '^(__asan|__ubsan|__odr_asan|__gcov|__llvm|__start|__stop)' public >instrument
grep -vxF -f instrument public >names
same "lib/weft.map (<) is not what the sources define (>)" wanted names

test -n "$shared" || exit $status
defined "$shared" -D >exported
same "lib/weft.map (<) is not what the shared library exports (>)" wanted exported

if command -v readelf >/dev/null; then
	readelf -lW "$shared" | grep 'GNU_STACK.*E' &&
		{ echo "FAIL: a .S file lacks .note.GNU-stack"; status=1; }
fi
exit $status
