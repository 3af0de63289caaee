#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every public header compiles alone and twice, as strict C11 and as C++11.
: "${srcdir:=.}" "${CC:=cc}" "${CXX:=c++}"
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
strict="-pedantic -Wall -Wextra -Werror -fsyntax-only -I$srcdir/include"
status=0

languages="c"
if command -v "${CXX%% *}" >/dev/null; then
	languages="c cc"
else
	echo "no C++ compiler: C only"
fi

for header in weft.h $(cd "$srcdir/include" && ls weft/*.h); do
	for language in $languages; do
		case $language in
		c) compile="$CC -std=c11 -Wstrict-prototypes" ;;
		cc) compile="$CXX -std=c++11" ;;
		esac
		printf '#include <%s>\n' "$header" "$header" >"$temporary/x.$language"
		echo 'int main(void) { return 0; }' >>"$temporary/x.$language"
		$compile $strict "$temporary/x.$language" ||
			{ echo "FAIL: $header ($compile)"; status=1; }
	done
	grep -q "$header" "$srcdir/include/files.am" ||
		{ echo "FAIL: $header is not in include/files.am: it is not installed"; status=1; }
	case $header in weft.h | weft/class.h) continue ;; esac
	grep -q "\"$header\"" "$srcdir/include/weft.h" ||
		{ echo "FAIL: $header is not in include/weft.h"; status=1; }
done
exit $status
