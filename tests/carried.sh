#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run [PROGRAM...] - run the test programs beside this file, where they were
# carried to; what each one says is in its .log. 77 is "skipped".
cd "$(dirname "$0")" || exit 1
test $# -gt 0 || set -- check_* fuzz_*
limit=
! command -v timeout >/dev/null 2>&1 || limit="timeout 900"
passed=0 skipped=0 failed=
for program; do
	case $program in *.log) continue ;; esac
	$limit "./$program" >"$program.log" 2>&1 </dev/null
	case $? in
	0) passed=$((passed + 1)) ;;
	77) skipped=$((skipped + 1)) ;;
	*) failed="$failed $program" ;;
	esac
done
echo "$passed passed, $skipped skipped, $(echo $failed | wc -w | tr -d ' ') failed"
test -z "$failed" || { echo "failed:$failed"; exit 1; }
