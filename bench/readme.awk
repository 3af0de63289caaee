# SPDX-License-Identifier: MIT
#
# readme.awk (see stats.awk) - the README's tables. Ratios are to the first server
# in the same round, medians; what could not be measured is a dash.
function cell(v, form, width) { return sprintf("%" width "s", v == "" ? "-" : sprintf(form, v)) }
function ratios(what,    s, i) {
	printf "    %-9s%33s%8s%8s%8s%8s\n", "", "64 bytes echoed, connections:  ", "16 KiB", "lines,", "connect", "bulk,"
	printf "    %-9s%8s%8s%8s%8s %8s%8s%8s%8s\n", "", "1", "64", "1,000", "10,000", "over 64", "16 deep", "& close", "64 KiB"
	for (s = 1; s <= servers; s++) {
		if (!(server[s] in present))
			continue
		printf "    %-9s", server[s]
		for (i = 1; i <= timed; i++)
			printf "%s%s", cell(ratio(shown[i], server[s], what), "%.2f", 8), i == 4 ? " " : ""
		print ""
	}
}
function repeat(c, n,    s) { while (n-- > 0) s = s c; return s }
function bars(l,    s, m) {
	for (s = 1; s <= servers; s++)
		if ((m = ratio(l, server[s], "cpu")) != "")
			printf "    %-9s %s %.2f\n", server[s], repeat("#", int((m > 5 ? 5 : m) * 11 + 0.5)), m
}
function counts(    s, n) {
	n = connections["idle-10000"] + 0
	printf "    %-9s%22s%38s%9s\n", "", "system calls", "instructions of user code", "idle,"
	printf "    %-9s%7s%8s%8s%9s%9s%9s%9s%9s\n", "", "echo 1", "echo 64", "line", "echo 1", "echo 64", "line", "connect", "bytes"
	for (s = 1; s <= servers; s++) {
		if (!(server[s] in present))
			continue
		printf "    %-9s%s%s%s%s%s%s%s%s\n", server[s], cell(of("count-1", server[s], "calls"), "%.2f", 7),
		    cell(of("count-64", server[s], "calls"), "%.2f", 8), cell(of("count-lines", server[s], "calls"), "%.2f", 8),
		    cell(of("count-1", server[s], "instructions"), "%.0f", 9),
		    cell(of("count-64", server[s], "instructions"), "%.0f", 9),
		    cell(of("count-lines", server[s], "instructions"), "%.0f", 9),
		    cell(of("count-connect", server[s], "instructions"), "%.0f", 9),
		    cell(has("idle-10000", server[s]) ? of("idle-10000", server[s], "memory") / n : "", "%.0f", 9)
	}
}
END {
	timed = split("echo-1 echo-64 echo-1000 echo-10000 echo-16k lines-16 connect bulk", shown, " ")
	print "Processor time of the server per request, by hand on epoll = 1; less is better:\n"
	ratios("cpu")
	print "\nRequests in a second, by hand on epoll = 1; more is better:\n"
	ratios("rate")
	print "\nProcessor time per echo over 1,000 connections (bench/chart.svg shows all):\n"
	bars("echo-1000")
	print "\nFor each request, over 1 or 64 connections; and the memory that an idle"
	print "connection takes when there are 10,000:\n"
	counts()
}
