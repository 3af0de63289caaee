# SPDX-License-Identifier: MIT
#
# table.awk (see stats.awk) - medians over the rounds; throughput and processor
# time per request also as ratios to the first server in the same round, with
# their spread. Then what was counted.
function spread(l, s, what,    r) {
	r = ratio(l, s, what)
	return r == "" ? sprintf("%7s %13s", "", "") : sprintf("%7.2f %5.2f to %5.2f", r, least, most)
}
function timed(l, s) {
	printf "%-11s %-9s %10.0f %s %9.0f %s %9.1f %9.1f %9.1f\n", l, s, of(l, s, "rate"),
	    spread(l, s, "rate"), of(l, s, "cpu"), spread(l, s, "cpu"), of(l, s, "p50") / 1000,
	    of(l, s, "p99") / 1000, of(l, s, "p999") / 1000
}
function idle(l, s,    n) {
	n = connections[l] + 0
	printf "%-14s %-9s %10.0f resident, %.0f proportional, %.0f page tables\n", l, s,
	    of(l, s, "memory") / n, of(l, s, "pss") / n, of(l, s, "tables") / n
}
function heading(text) { if (!(text in told)) print text; told[text] = 1 }
END {
	for (l = 1; l <= loads; l++) for (s = 1; s <= servers; s++) {
		if (!has(load[l], server[s]))
			continue
		if (load[l] ~ /^idle-/) {
			heading("\nload           server    bytes for each connection")
			idle(load[l], server[s])
		} else if (load[l] ~ /^count-/) {
			heading("\nload           server    system calls  instructions of user code, for each request")
			printf "%-14s %-9s %12s %12s\n", load[l], server[s], of(load[l], server[s], "calls"),
			    of(load[l], server[s], "instructions")
		} else {
			heading(sprintf("%-11s %-9s %10s %7s %14s %9s %7s %14s %9s %9s %9s", "load", "server", "a second",
			    "/" server[1], "spread", "cpu ns", "/" server[1], "spread", "p50 us", "p99 us", "p99.9 us"))
			timed(load[l], server[s])
		}
	}
}
