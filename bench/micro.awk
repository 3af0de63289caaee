# SPDX-License-Identifier: MIT
#
# micro.awk micros.txt CSV - with form=table a table of medians over the rounds
# beside what weft is to reach; with form=chart an SVG of the same.
function median(list,    n, i, j, t, part) {
	n = split(list, part, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && part[j - 1] + 0 > part[j] + 0; j--) {
			t = part[j]; part[j] = part[j - 1]; part[j - 1] = t
		}
	return n % 2 ? part[(n + 1) / 2] : (part[n / 2] + part[n / 2 + 1]) / 2
}
FNR == 1 { file++ }
/^#/ { next }
file == 1 { micro[++micros] = $1; next }
FNR == 1 { FS = ","; next }
{ list[$3, $2] = list[$3, $2] " " $4; present[$2] = 1 }

function describe(name, what, limit) { operation[++operations] = name; text[name] = what; goal[name] = limit }
function width(name) { return length(name) < 6 ? 6 : length(name) }
function table(    o, m) {
	printf "%-25s %5s", "nanoseconds", "goal"
	for (m = 1; m <= micros; m++)
		if (micro[m] in present) printf " %" width(micro[m]) "s", micro[m]
	print ""
	for (o = 1; o <= operations; o++) {
		printf "%-25s %5d", text[operation[o]], goal[operation[o]]
		for (m = 1; m <= micros; m++)
			if (micro[m] in present)
				printf " %" width(micro[m]) "s", figure(operation[o], micro[m])
		print ""
	}
}
function figure(o, m,    value) {
	if (!((o, m) in list))
		return "-"
	value = median(list[o, m])
	return sprintf(value < 100 ? "%.1f" : "%.0f", value)
}
# As long as its part of four times the goal.
function chart(    o, m, y, value, body, long) {
	y = 46
	for (o = 1; o <= operations; o++) {
		body = body sprintf("<text x=\"222\" y=\"%d\" text-anchor=\"end\">%s</text>\n", y + 9, text[operation[o]])
		for (m = 1; m <= micros; m++) {
			if (!((operation[o], micro[m]) in list))
				continue
			value = median(list[operation[o], micro[m]]) / goal[operation[o]]
			long = (value > 4 ? 4 : value < 0 ? 0 : value) * 90
			body = body sprintf("<rect x=\"230\" y=\"%d\" width=\"%.1f\" height=\"10\" fill=\"%s\"/>" \
			    "<text x=\"%.1f\" y=\"%d\">%s %s</text>\n", y, long, micro[m] == "weft" ? "#cc3311" : "#9db7d5",
			    234 + long, y + 9, figure(operation[o], micro[m]), micro[m])
			y += 11
		}
		y += 12
	}
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%d\" font-family=\"sans-serif\" font-size=\"10\">\n", y + 10
	print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
	print "<text x=\"10\" y=\"20\" font-size=\"13\">What an operation costs, in nanoseconds or bytes; the line is what weft is to reach</text>"
	printf "%s<line x1=\"320\" y1=\"36\" x2=\"320\" y2=\"%d\" stroke=\"#000\" stroke-dasharray=\"2 3\"/>\n</svg>\n", body, y
}
END {
	describe("yield-2", "yield, between 2", 5)
	describe("yield-1000", "yield, among 1,000", 10)
	describe("spawn", "spawn, run, exit", 25)
	describe("channel", "channel, send and receive", 22)
	describe("mutex", "mutex, hand-off", 45)
	describe("deadline", "deadline around a wait", 25)
	describe("deadline-100k", "the same, 100,000 pending", 30)
	describe("parked", "a parked fiber, bytes", 5120)
	if (form == "chart")
		chart()
	else
		table()
}
