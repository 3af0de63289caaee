#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/httpd, as real clients see it: curl, wrk if there is one, and
# clients that misbehave.
: "${srcdir:=.}" "${top_builddir:=.}"
command -v curl >/dev/null || { echo "SKIP: no curl"; exit 77; }
command -v nc >/dev/null && nc -h 2>&1 | grep -q -e -N || { echo "SKIP: no nc that knows -N"; exit 77; }
temporary=$(mktemp -d) || exit 1
server= status=0
trap 'test -z "$server" || kill $server; rm -rf "$temporary"' EXIT

mkdir -p "$temporary/root/a b" "$temporary/root/empty"
cp "$srcdir/README" "$temporary/root/README"
cp "$srcdir/man/weft.7" "$temporary/root/a b/weft.7"
printf 'front page\n' >"$temporary/root/index.html"
: >"$temporary/root/nothing"
printf 'secret\n' | tee "$temporary/root/.hidden" >"$temporary/outside"
ln -s ../outside "$temporary/root/link"
ln -s .. "$temporary/root/up"
mkfifo "$temporary/root/fifo"
dd if=/dev/urandom of="$temporary/root/big" bs=65536 count=160 2>/dev/null

mkfifo "$temporary/url"
"$top_builddir/examples/httpd" "$temporary/root" 127.0.0.1 0 1 >"$temporary/url" &
server=$!
read -r url <"$temporary/url"
port=${url##*:} port=${port%/}

# is WHAT GOT WANTED
is() { test "$2" = "$3" || { echo "FAIL: $1: got \"$2\", not \"$3\""; status=1; }; }
get() { curl -s -m 20 --path-as-is "$@"; }
code() { get -o /dev/null -w '%{http_code}' "$@"; }
# says BYTES - the first line of the answer to them, after which our end is closed.
says() { printf "$1" | timeout 20 nc -N 127.0.0.1 "$port" | head -n 1 | tr -d '\r'; }

for file in README "a b/weft.7" big nothing; do
	get "$url$(echo "$file" | sed 's/ /%20/')" >"$temporary/got"
	cmp -s "$temporary/got" "$temporary/root/$file" || { echo "FAIL: $file differs"; status=1; }
done
is "the front page" "$(get "$url")" "front page"
is "with a query" "$(get "${url}index.html?a=%00")" "front page"
is "three on one connection" "$(get -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}' \
	"$url" "${url}README" "${url}none")" 100
is "the length by HEAD" "$(get -I "${url}README" | tr -d '\r' | sed -n 's/^Content-Length: //p')" \
	"$(($(wc -c <"$temporary/root/README")))"

for path in none empty/ empty .hidden link up/outside fifo 'a%20b' ../outside '%2e%2e/outside' \
	'a%20b/../../outside' '/outside' 'README/'; do
	is "$path" "$(code "$url$path")" 404
done
is "a NUL" "$(code "${url}README%00.html")" 400
is "half a number" "$(code "${url}%2")" 404
is "a long path" "$(code "$url$(printf '%02000d' 0)")" 414
is "a long line" "$(code "$url$(printf '%020000d' 0)")" 414
is "a long field" "$(code -H "X: $(printf '%020000d' 0)" "$url")" 431
is "many fields" "$(says "GET / HTTP/1.1\r\n$(for i in 1 2 3 4 5 6 7 8 9 10 11; do
	printf 'a:b\\r\\na:b\\r\\na:b\\r\\na:b\\r\\na:b\\r\\na:b\\r\\na:b\\r\\na:b\\r\\na:b\\r\\na:b\\r\\n'; done)\r\n")" \
	"HTTP/1.1 431 Request Header Fields Too Large"
is "a method" "$(code -X DELETE "$url")" 501
is "a body" "$(code -d "$(printf '%030000d' 0)" -X GET "$url")" 413
is "no host" "$(says 'GET / HTTP/1.1\r\n\r\n')" "HTTP/1.1 400 Bad Request"
is "1.0 without a host" "$(says 'GET / HTTP/1.0\r\n\r\n')" "HTTP/1.1 200 OK"
is "no request" "$(says 'once upon a time\r\n\r\n')" "HTTP/1.1 400 Bad Request"
is "2.0" "$(says 'GET / HTTP/2.0\r\n\r\n')" "HTTP/1.1 505 HTTP Version Not Supported"
is "half a request" "$(says 'GET / HTTP/1.1\r\nHost')" ""
is "two at once" "$(printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n' |
	timeout 20 nc -N 127.0.0.1 "$port" | grep -c '^front page')" 2
is "a slow one" "$({ printf 'GET '; sleep 3; } | timeout 20 nc 127.0.0.1 "$port" | head -n 1 |
	tr -d '\r')" "HTTP/1.1 408 Request Timeout"
is "an idle one" "$(sleep 3 | timeout 20 nc 127.0.0.1 "$port")" ""

if command -v wrk >/dev/null; then
	most=$(ulimit -n)
	test "$most" != unlimited && test "$most" -lt 4000 && most=$((most / 4)) || most=1000
	wrk -t 2 -c "$most" -d 2s "${url}README" >"$temporary/wrk" 2>&1 ||
		{ echo "FAIL: wrk"; status=1; }
	cat "$temporary/wrk"
	grep -q 'Requests/sec' "$temporary/wrk" &&
		! grep -E 'Non-2xx|Socket errors.*(connect|read|write) [1-9]' "$temporary/wrk" ||
		{ echo "FAIL: wrk saw errors"; status=1; }
fi

kill $server
wait $server
is "how it ended" $? 0
server=
exit $status
