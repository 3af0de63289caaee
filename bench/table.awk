# SPDX-License-Identifier: MIT
#
# table.awk LOADS CSV - medians over the rounds; throughput and processor time
# per request as ratios to epoll in the same round, with their spread.
function median(list,    n, i, j, t, part) {
	n = split(list, part, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && part[j - 1] + 0 > part[j] + 0; j--) {
			t = part[j]; part[j] = part[j - 1]; part[j - 1] = t
		}
	least = part[1]; most = part[n]
	return n % 2 ? part[(n + 1) / 2] : (part[n / 2] + part[n / 2 + 1]) / 2
}
function collect(store, key, value) { store[key] = store[key] " " value }
FNR == NR { order[++loads] = $1; next }
FNR == 1 { FS = ","; $0 = $0; next }
{
	if (!($3 in known)) { known[$3] = 1; names[++servers] = $3 }
	key = $2 SUBSEP $3
	rate[$1, key] = $4; cpu[$1, key] = $6
	collect(rates, key, $4); collect(cpus, key, $6); collect(p50, key, $7)
	collect(p99, key, $8); collect(memory, key, $10)
	if ($1 > rounds) rounds = $1
}
END {
	printf "%-11s %-9s %10s %7s %13s %9s %7s %13s %9s %9s\n", "load", "server", "a second",
	    "/epoll", "spread", "cpu ns", "/epoll", "spread", "p50 us", "p99 us"
	for (l = 1; l <= loads; l++) for (s = 1; s <= servers; s++) {
		key = order[l] SUBSEP names[s]
		if (!(key in rates))
			continue
		if (order[l] ~ /^idle/) {
			n = order[l]; sub(/.*-/, "", n)
			printf "%-11s %-9s %10.0f bytes for each connection\n", order[l], names[s], median(memory[key]) / n
			continue
		}
		base = order[l] SUBSEP "epoll"
		r = c = ""
		for (i = 1; i <= rounds; i++)
			if (rate[i, base] > 0 && rate[i, key] > 0) {
				r = r " " rate[i, key] / rate[i, base]
				if (cpu[i, base] > 0)
					c = c " " cpu[i, key] / cpu[i, base]
			}
		rm = median(r); rs = sprintf("%.2f to %.2f", least, most)
		cm = median(c); cs = sprintf("%.2f to %.2f", least, most)
		printf "%-11s %-9s %10.0f %7.2f %13s %9.0f %7.2f %13s %9.1f %9.1f\n", order[l], names[s],
		    median(rates[key]), rm, rs, median(cpus[key]), cm, cs, median(p50[key]) / 1000,
		    median(p99[key]) / 1000
	}
}
