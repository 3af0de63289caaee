#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/throttle in front of examples/httpd: what comes through is right, and
# not too fast.
: "${srcdir:=.}" "${top_builddir:=.}"
command -v curl >/dev/null || { echo "SKIP: no curl"; exit 77; }
temporary=$(mktemp -d) || exit 1
pids= status=0
trap 'test -z "$pids" || kill $pids; rm -rf "$temporary"' EXIT

mkdir "$temporary/root"
dd if=/dev/urandom of="$temporary/root/file" bs=1000 count=60 2>/dev/null
mkfifo "$temporary/out" "$temporary/out2"
"$top_builddir/examples/httpd" "$temporary/root" 127.0.0.1 0 1 >"$temporary/out" &
pids=$!
read -r url <"$temporary/out"
port=${url##*:} port=${port%/}

# 60,000 bytes at 100,000 in a second, of which 10,000 come at once.
"$top_builddir/examples/throttle" 0 127.0.0.1 "$port" 100000 >"$temporary/out2" &
pids="$pids $!"
read -r relay <"$temporary/out2"
time=$(curl -s -m 60 -o "$temporary/got" -w '%{time_total}' "http://localhost:$relay/file")
cmp "$temporary/got" "$temporary/root/file" || status=1
echo "60,000 bytes took $time s"
case $time in
0.[5-9]* | [1-9]*) ;;
*) echo "FAIL: too fast"; status=1 ;;
esac

# Nobody behind it: the connection ends, the relay stays.
kill "${pids%% *}"
wait "${pids%% *}" 2>/dev/null
pids=${pids#* }
curl -s -m 20 -o /dev/null "http://localhost:$relay/file" && { echo "FAIL: who answered?"; status=1; }
kill -0 "$pids" || { echo "FAIL: the relay is gone"; status=1; }
exit $status
