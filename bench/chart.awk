# SPDX-License-Identifier: MIT
#
# chart.awk (see stats.awk) - an SVG of the processor time per request, each
# server's median ratio to the first; shorter is better.
function bar(y, m, name,    width, fill) {
	width = (m > 4 ? 4 : m) * UNIT
	fill = name == "weft" ? "#cc3311" : name == server[1] ? "#222222" : "#9db7d5"
	return sprintf("<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>" \
	    "<text x=\"%.1f\" y=\"%d\">%.2f %s</text>\n", LEFT, y, width, BAR - 1, fill,
	    LEFT + width + 4, y + 9, m, name)
}
END {
	BAR = 11; GAP = 26; LEFT = 110; UNIT = 130; y = 46
	for (l = 1; l <= loads; l++) {
		if (load[l] ~ /^(idle|count|rate)-/ || !has(load[l], server[1]))
			continue
		body = body sprintf("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y + 10, load[l])
		for (s = 1; s <= servers; s++)
			if ((m = ratio(load[l], server[s], "cpu")) != "") {
				body = body bar(y, m, server[s])
				y += BAR
			}
		y += GAP - BAR
	}
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%d\" font-family=\"sans-serif\" font-size=\"10\">\n", y + 10
	print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
	print "<text x=\"10\" y=\"20\" font-size=\"13\">Processor time of the server per request, raw epoll = 1; shorter is better</text>"
	printf "%s<line x1=\"%d\" y1=\"36\" x2=\"%d\" y2=\"%d\" stroke=\"#000\" stroke-dasharray=\"2 3\"/>\n</svg>\n", body, LEFT + UNIT, LEFT + UNIT, y
}
