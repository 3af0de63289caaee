#!/bin/sh
# SPDX-License-Identifier: MIT
#
# buffer.sh OBJECT - how many instructions a successful get or put runs, in an
# object file or library: from its entry to its first return, which compilers
# lay out straight. Then the code of two of them, to look at.
test $# = 1 || { echo "usage: buffer.sh OBJECT" >&2; exit 2; }
objdump -d --no-show-raw-insn "$1" | awk '
/^[0-9a-f]+ <weft_buffer_(get|put)_[uif][0-9]+.*>:$/ {
	name = substr($2, 2, length($2) - 3)
	n = jumps = memory = 0
	text = ""
	next
}
name ~ /slowly$|cold$/ { name = "" }
name == "" || !/^ / { next }
$2 ~ /^(endbr64|nop)/ { next }
{
	n++
	sub(/^ *[0-9a-f]+:[ \t]*/, "")
	text = text "    " $0 "\n"
	jumps += /^j/
	memory += /\(/
}
/^ret/ {
	printf "%-28s %2d instructions, %d branches, %d memory operands\n", name, n, jumps, memory
	if (name ~ /get_u32_be$|put_u8$/)
		code = code "\n" name ":\n" text
	name = ""
}
END { printf "%s", code }'
