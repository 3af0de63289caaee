#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tally.sh DIRECTORY - of the tests that ran there, "PASSED FAILED", and a line
# for each that was skipped. A test that says how many checks it ran (Check does,
# for each backend) counts as that many; one that was skipped counts as none.
find "$1" -name '*.trs' | sort | while read -r trs; do
	echo "$(sed -n 's/^:test-result: \([A-Z]*\).*/\1/p' "$trs")" \
		"$(awk 'sub(/.*Checks: /, "") { checks += $1; bad += $3 + $5 }
			sub(/^SKIP: /, "") { why = $0 }
			END { print checks + 0, bad + 0, why }' "${trs%.trs}.log")" \
		"$(basename "$trs" .trs)"
done | awk '
	$1 == "PASS" || $1 == "XFAIL" { passed += $2 == 0 ? 1 : $2 - $3 }
	$1 == "FAIL" || $1 == "ERROR" || $1 == "XPASS" {
		failed += $3 == 0 ? 1 : $3
		passed += $2 - $3
	}
	$1 == "SKIP" {
		name = $NF
		$1 = $2 = $3 = $NF = ""
		skipped = skipped "skipped " name ": " $0 "\n"
	}
	END { print passed + 0, failed + 0; printf "%s", skipped }'
