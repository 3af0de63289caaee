#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/cat as a shell uses it: files, pipelines, /dev/null, descriptors that
# are not there, and what it says when something fails.
: "${srcdir:=.}" "${top_builddir:=.}"
cat=$(cd "$top_builddir" && pwd)/examples/cat
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT
cd "$temporary" || exit 1
status=0
dd if=/dev/urandom of=big bs=65536 count=48 2>/dev/null
: >nothing

# same WHAT FILE - the output is what FILE is.
same() { cmp -s got "$2" || { echo "FAIL: $1: the output differs"; status=1; }; }
# fails WHAT CODE TEXT - it ended so, and said that.
fails() {
	test "$2" -eq 1 || { echo "FAIL: $1: status $2"; status=1; }
	grep -q "$3" error || { echo "FAIL: $1: it said \"$(head -n 1 error)\""; status=1; }
}

for file in big nothing; do
	"$cat" <$file >got; same "$file to a file" $file
	"$cat" <$file | command cat >got; same "$file to a pipe" $file
	command cat $file | "$cat" >got; same "$file from a pipe" $file
	"$cat" <$file | "$cat" | "$cat" >got; same "$file through three" $file
	mkfifo fifo
	"$cat" <$file >fifo & command cat <fifo >got; wait; same "$file to a FIFO" $file
	command cat $file >fifo & "$cat" <fifo >got; wait; same "$file from a FIFO" $file
	rm fifo
	"$cat" <$file >/dev/null || { echo "FAIL: $file to /dev/null"; status=1; }
done
"$cat" </dev/null >got; same "/dev/null" nothing
{ head -c 100 >/dev/null; "$cat"; } <big >got
tail -c "$(wc -c <got)" big >rest; same "the rest of a file" rest
{ echo one; "$cat" <nothing; echo two; } >got; printf 'one\ntwo\n' >lines; same "a shared file" lines
"$cat" <big >>got; { command cat lines big; } >both; same "a file that is appended to" both
"$cat" <big 2>error | head -c 1 >/dev/null

"$cat" <&- >got 2>error; fails "no input" $? 'Bad file descriptor'
"$cat" <nothing >&- 2>error; fails "no output" $? 'Bad file descriptor'
"$cat" <&- >&- 2>error; fails "neither" $? 'Bad file descriptor'
"$cat" <. >got 2>error; fails "a directory" $? 'read: stdin read: Is a directory'
test -c /dev/full && { "$cat" <big >/dev/full 2>error; fails "no room" $? 'No space left'; }
exit $status
