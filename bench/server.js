// SPDX-License-Identifier: MIT
// bench/server.js - the servers on Node.
const none = Buffer.alloc(0)

function echo(client) {
	client.on('data', bytes => client.write(bytes))
}

// Finds each line; those that are whole go back together.
function lines(client) {
	let rest = none
	client.on('data', bytes => {
		if (rest.length > 0)
			bytes = Buffer.concat([rest, bytes])
		let whole = 0
		for (let lf; (lf = bytes.indexOf(10, whole)) >= 0; whole = lf + 1)
			;
		if (whole > 0)
			client.write(bytes.subarray(0, whole))
		rest = whole < bytes.length ? Buffer.from(bytes.subarray(whole)) : none
	})
}

function sink(client) {
	let total = 0
	client.on('data', bytes => { total += bytes.length })
	client.on('end', () => {
		const told = Buffer.alloc(8)
		told.writeBigUInt64LE(BigInt(total))
		client.end(told)
	})
}

const serve = { echo, lines, sink }[process.argv[2]]
if (!serve)
	process.exit(2)
const options = { noDelay: true, allowHalfOpen: serve === sink }
const server = require('net').createServer(options, client => {
	client.on('error', () => client.destroy())
	serve(client)
})
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => console.log(server.address().port))
