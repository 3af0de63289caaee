# SPDX-License-Identifier: MIT
#
# stats.awk - for what comes after it (awk -f stats.awk -f table.awk
# loads.txt servers.txt results.csv): load[] and server[] in order, value[round,
# load, server, column], and what one asks of them.
FNR == 1 { file++ }
/^#/ { next }
file == 1 { load[++loads] = $1; connections[$1] = $0; sub(/.*-c /, "", connections[$1]); next }
file == 2 { server[++servers] = $1; next }
FNR == 1 { columns = split($0, column, ","); next }
{
	split($0, field, ",")
	for (i = 4; i <= columns; i++)
		value[field[1], field[2], field[3], column[i]] = field[i]
	if (field[1] > rounds)
		rounds = field[1] + 0
	seen[field[2], field[3]] = 1
	present[field[3]] = 1
}

# The median of words in a string; `least` and `most` of them, `many` they are.
function median(list,    i, j, t, part) {
	many = split(list, part, " ")
	for (i = 2; i <= many; i++)
		for (j = i; j > 1 && part[j - 1] + 0 > part[j] + 0; j--) {
			t = part[j]; part[j] = part[j - 1]; part[j - 1] = t
		}
	least = part[1]; most = part[many]
	return many % 2 ? part[(many + 1) / 2] : (part[many / 2] + part[many / 2 + 1]) / 2
}

function has(l, s) { return (l, s) in seen }

# Of a column, the median over the rounds; "" if there is none.
function of(l, s, what,    round, list) {
	for (round = 0; round <= rounds; round++)
		if (value[round, l, s, what] != "")
			list = list " " value[round, l, s, what]
	return list == "" ? "" : median(list)
}

# The median of the ratios to the first server in the same round.
function ratio(l, s, what,    round, list) {
	for (round = 1; round <= rounds; round++)
		if (value[round, l, s, what] > 0 && value[round, l, server[1], what] > 0)
			list = list " " value[round, l, s, what] / value[round, l, server[1], what]
	return list == "" ? "" : median(list)
}
