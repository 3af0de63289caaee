#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/chat with two who talk by nc: each hears the other, and who has left.
: "${top_builddir:=.}"
command -v nc >/dev/null && nc -h 2>&1 | grep -q -e -N || { echo "SKIP: no nc that knows -N"; exit 77; }
temporary=$(mktemp -d) || exit 1
pids=
trap 'test -z "$pids" || kill $pids 2>/dev/null; rm -rf "$temporary"' EXIT
mkfifo "$temporary/name" "$temporary/ann.in" "$temporary/ann" "$temporary/bob.in" "$temporary/bob"

timeout 60 "$top_builddir/examples/chat" 127.0.0.1 0 >"$temporary/name" &
pids=$!
IFS= read -r name <"$temporary/name" || { echo "FAIL: no server"; exit 1; }

# joins WHO - one more who talks. Whatever goes wrong ends after a while.
joins() {
	timeout 60 nc -N 127.0.0.1 "${name##*:}" <"$temporary/$1.in" >"$temporary/$1" &
	pids="$pids $!"
}
# hears WHO LINE - from the descriptor of hers or his.
hears() {
	IFS= read -r line || { echo "FAIL: $1 heard nothing, not \"$2\""; exit 1; }
	test "$line" = "$2" || { echo "FAIL: $1 heard \"$line\", not \"$2\""; exit 1; }
}

joins ann
exec 3>"$temporary/ann.in" 4<"$temporary/ann"
hears ann "Your name?" <&4
echo Ann >&3
joins bob
exec 5>"$temporary/bob.in" 6<"$temporary/bob"
hears bob "Your name?" <&6
echo Bob >&5
hears ann "Bob is here" <&4
echo "Hello, Bob" >&3
hears bob "Ann: Hello, Bob" <&6
echo "Hello yourself" >&5
hears ann "Bob: Hello yourself" <&4
echo /quit >&5
exec 5>&-
hears ann "Bob has left" <&4
IFS= read -r line <&6 && { echo "FAIL: bob, who has left, heard \"$line\""; exit 1; }
echo "Is anybody there?" >&3
exec 3>&-
IFS= read -r line <&4 && { echo "FAIL: ann, alone, heard \"$line\""; exit 1; }
kill -0 "${pids%% *}" || { echo "FAIL: the server is gone"; exit 1; }
exit 0
