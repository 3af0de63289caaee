#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The program in the EXAMPLES section of every page compiles as strict C11 with
# warnings as errors and links with the library.
: "${srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${LIBTOOL:=$top_builddir/libtool}"
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
status=0 pages=$(ls "$srcdir"/man/*.[37] 2>/dev/null)
test -n "$pages" || { echo "SKIP: no pages yet"; exit 77; }

# program - the literal block with main( in it, without mdoc's escapes.
program() {
	awk '/^\.Sh/ { on = $2 == "EXAMPLES" }
	on && /^\.Ed/ { if (text ~ /main\(/) printf "%s", text; within = 0 }
	within { text = text $0 "\n" }
	on && /^\.Bd .*-literal/ { within = 1; text = "" }' "$1" |
		sed 's/\\&//g; s/\\-/-/g; s/\\(dq/"/g; s/\\(aq/'"'"'/g; s/\\e/\\/g'
}

for page in $pages; do
	name=${page##*/}
	source=$temporary/${name%.*}.c object=$temporary/${name%.*}.o
	program "$page" >"$source"
	if test ! -s "$source"; then
		echo "FAIL: $name has no program in EXAMPLES"
	elif ! $CC -std=c11 -Wall -Wextra -Werror -I"$srcdir/include" $CPPFLAGS $CFLAGS $INSTRUMENT \
		-c "$source" -o "$object"; then
		echo "FAIL: the program of $name does not compile"
	elif ! $LIBTOOL --silent --tag=CC --mode=link $CC $CFLAGS $INSTRUMENT $PTHREAD_CFLAGS \
		-o "$temporary/${name%.*}" "$object" "$top_builddir/libweft.la"; then
		echo "FAIL: the program of $name does not link"
	else
		continue
	fi
	status=1
done
exit $status
