# SPDX-License-Identifier: MIT
#
# chart.awk LOADS CSV - an SVG of the processor time per request, each server's
# median ratio to epoll; shorter is better.
function median(list,    n, i, j, t, part) {
	n = split(list, part, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && part[j - 1] + 0 > part[j] + 0; j--) {
			t = part[j]; part[j] = part[j - 1]; part[j - 1] = t
		}
	return n % 2 ? part[(n + 1) / 2] : (part[n / 2] + part[n / 2 + 1]) / 2
}
FNR == NR { if ($1 !~ /^(idle|rate)/) order[++loads] = $1; next }
FNR == 1 { FS = ","; $0 = $0; next }
{
	if (!($3 in known)) { known[$3] = 1; names[++servers] = $3 }
	cpu[$1, $2, $3] = $6
	if ($1 > rounds) rounds = $1
}
END {
	split("#4477aa #cc3311 #228833 #ccbb44 #66ccee #aa3377 #888888 #000000", colour, " ")
	bar = 11; gap = 26; left = 110; unit = 130; y = 46
	for (l = 1; l <= loads; l++) {
		body = body sprintf("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 8, y + 10, order[l])
		for (s = 1; s <= servers; s++) {
			list = ""
			for (i = 1; i <= rounds; i++)
				if (cpu[i, order[l], "epoll"] > 0 && cpu[i, order[l], names[s]] > 0)
					list = list " " cpu[i, order[l], names[s]] / cpu[i, order[l], "epoll"]
			if (list == "")
				continue
			m = median(list)
			w = (m > 4 ? 4 : m) * unit
			body = body sprintf("<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/><text x=\"%.1f\" y=\"%d\">%.2f %s</text>\n", left, y, w, bar - 1, colour[s], left + w + 4, y + 9, m, names[s])
			y += bar
		}
		y += gap - bar
	}
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%d\" font-family=\"sans-serif\" font-size=\"10\">\n", y + 10
	print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
	print "<text x=\"10\" y=\"20\" font-size=\"13\">Processor time of the server per request, raw epoll = 1; shorter is better</text>"
	printf "%s<line x1=\"%d\" y1=\"36\" x2=\"%d\" y2=\"%d\" stroke=\"#000\" stroke-dasharray=\"2 3\"/>\n</svg>\n", body, left + unit, left + unit, y
}
