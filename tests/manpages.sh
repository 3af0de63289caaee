#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every exported name is in the NAME section of a page, every page is in
# man/files.am, and mandoc has nothing to say about any.
: "${srcdir:=.}"
cd "$srcdir" || exit 1
status=0
pages=$(ls man/*.[37] 2>/dev/null)

named=$(for page in $pages; do
	awk '/^\.Sh/ { on = $2 == "NAME" } on && $1 == ".Nm" { print $2 }' "$page"
done)
for name in $(sed -n '/global:/,/local:/s/^[[:space:]]*\([a-z_0-9]*\);.*/\1/p' lib/weft.map); do
	echo "$named" | grep -qx "$name" || { echo "FAIL: no page names $name"; status=1; }
done
for page in $pages; do
	grep -q "${page#man/}" man/files.am || { echo "FAIL: $page is not in man/files.am"; status=1; }
done
# What the pages of section 7 send their reader to: a name of a page, or a page.
for name in $(sed -n 's/^\.\(It .* \)\{0,1\}\(Xr\|Fn\) \(weft[a-z_0-9]*\).*/\3/p' man/*.7 | sort -u); do
	echo "$named" | grep -qx "$name" || test -f "man/$name.3" -o -f "man/$name.7" ||
		{ echo "FAIL: section 7 mentions $name, which there is not"; status=1; }
done

test $status = 0 || exit 1
command -v mandoc >/dev/null || { echo "SKIP: no mandoc"; exit 77; }
test -z "$pages" || complaints=$(mandoc -T lint -W warning $pages 2>&1)
test -z "$complaints" || { echo "$complaints"; exit 1; }
