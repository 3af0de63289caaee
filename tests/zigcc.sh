#!/bin/sh
# SPDX-License-Identifier: MIT
#
# zigcc.sh TARGET ARGUMENT... - zig as a C compiler for that target, with the
# linker's --wrap=name, which zig's linkers have not got: llvm-objcopy renames, in
# copies of what is linked, as --wrap would, name to __wrap_name and __real_name to
# name. Archives that are named by -l are left as they are.
target=$1
shift
names=
for word; do
	shift
	case $word in
	-Wl,--wrap=*) names=$names,${word#-Wl,} ;;
	*) set -- "$@" "$word" ;;
	esac
done
test -n "$names" || exec "${ZIG:-zig}" cc -target "$target" "$@"

copies=$(mktemp -d) || exit 1
trap 'rm -rf "$copies"' 0
trap 'exit 1' 1 2 15
case $target in *-macos*) _=_ ;; *) _= ;; esac
for name in $(echo "$names" | sed 's/,--wrap=/ /g'); do
	echo "$_$name ${_}__wrap_$name"
	echo "${_}__real_$name $_$name"
done | sort -u >"$copies/names"
n=0
for word; do
	shift
	case $word in
	*.o | *.a)
		n=$((n + 1)) copy=$copies/$n.${word##*.}
		"${OBJCOPY:-llvm-objcopy}" --redefine-syms="$copies/names" "$word" "$copy" || exit 1
		case $target$word in
		*-macos*.a)
			# zig reads past the end of an archive whose last member is of odd
			# length, as llvm-objcopy may leave it; its own are of even ones.
			"${ZIG:-zig}" ar qLcs "$copies/even.a" "$copy" &&
				mv "$copies/even.a" "$copy" || exit 1 ;;
		esac
		set -- "$@" "$copy" ;;
	*) set -- "$@" "$word" ;;
	esac
done
"${ZIG:-zig}" cc -target "$target" "$@"
